package ingest

import (
	"cmp"
	"context"
	"slices"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
)

// target is where the commands of an item go, or the code that refuses the item.
type target struct {
	at      []place
	code    shipment.Code
	message string
}

// place is a shipment, and a service of it if the item names its service by the shipment only.
type place struct{ shipmentID, serviceID string }

// findTargets finds the shipments of the items. It looks returns and services up in the read model: the seller learned
// their ids from a projection, so they are there, except in the moment after they were created.
func (m *commands) findTargets(
	ctx context.Context, sellerID string, action marketplace.Action, items []marketplace.Command,
) ([]target, error) {
	out := make([]target, len(items))
	var lookup []string
	for i, c := range items {
		switch {
		case c.Code != "":
			out[i].code, out[i].message = c.Code, c.Message
		case action.Subject == marketplace.SubjectShipment:
			out[i].at = []place{{shipmentID: c.ShipmentID}}
		case c.ID != "":
			lookup = append(lookup, c.ID)
		}
	}
	if action.Subject == marketplace.SubjectShipment {
		return out, nil
	}
	found, err := m.states.shipmentsOf(ctx, sellerID, action.Subject, lookup)
	if err != nil {
		return nil, err
	}
	for i, c := range items {
		switch {
		case out[i].code != "":
		case c.ID != "":
			for _, id := range found[c.ID] {
				out[i].at = append(out[i].at, place{shipmentID: id})
			}
		default:
			// The official client names a service by its shipment only. That is unambiguous if one service is open.
			serviceID, err := m.states.onlyOpenService(ctx, sellerID, c.ShipmentID)
			if err != nil {
				return nil, err
			}
			if serviceID != "" {
				out[i].at = []place{{c.ShipmentID, serviceID}}
			}
		}
		if out[i].code == "" && len(out[i].at) == 0 {
			out[i].code, out[i].message = notFound(action.Subject)
		}
		slices.SortFunc(out[i].at, func(a, b place) int { return cmp.Compare(a.shipmentID, b.shipmentID) })
	}
	return out, nil
}

func notFound(s marketplace.Subject) (shipment.Code, string) {
	if s == marketplace.SubjectService {
		return shipment.CodeInvalidService, "no such service, or more than one"
	}
	return shipment.CodeInvalidReturn, "no such return"
}
