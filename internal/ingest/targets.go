package ingest

import (
	"cmp"
	"context"
	"slices"

	"github.com/orderledger/orderledger/internal/httpx"
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

// findTargets finds the shipments of the items. It looks returns and services up in the read model. One that is not
// there may have been created a moment ago, and "no such return" would be final: sellers do not repeat it. So the item
// is refused only once the tables hold everything that was in the ledger when the lookup missed it.
func (m *commands) findTargets(
	ctx context.Context, sellerID string, action marketplace.Action, items []marketplace.Command,
) ([]target, error) {
	out := make([]target, len(items))
	for i, c := range items {
		switch {
		case c.Code != "":
			out[i].code, out[i].message = c.Code, c.Message
		case action.Subject == marketplace.SubjectShipment:
			out[i].at = []place{{shipmentID: c.ShipmentID}}
		}
	}
	missing, err := m.lookUp(ctx, sellerID, action, items, out)
	if err != nil || len(missing) == 0 {
		return out, err
	}
	if err := m.watcher.awaitEnds(ctx, m.lookupTimeout); err != nil {
		if len(missing) == len(items) {
			return nil, err // No item has a target, so the call failed and not its items.
		}
		for _, i := range missing {
			out[i].code, out[i].message = httpx.CodeUnavailable, problemOf(err).Detail
		}
		return out, nil
	}
	if missing, err = m.lookUp(ctx, sellerID, action, items, out); err != nil {
		return nil, err
	}
	for _, i := range missing {
		out[i].code, out[i].message = notFound(action.Subject)
	}
	return out, nil
}

// lookUp fills in the targets that are not known yet, as far as the read model has them. It returns the items that it
// does not find.
func (m *commands) lookUp(
	ctx context.Context, sellerID string, action marketplace.Action, items []marketplace.Command, out []target,
) (missing []int, err error) {
	var ids []string
	for i, c := range items {
		if out[i].open() && c.ID != "" {
			ids = append(ids, c.ID)
		}
	}
	found, err := m.states.shipmentsOf(ctx, sellerID, action.Subject, ids)
	if err != nil {
		return nil, err
	}
	for i, c := range items {
		switch {
		case !out[i].open():
			continue
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
		if out[i].open() {
			missing = append(missing, i)
		}
		slices.SortFunc(out[i].at, func(a, b place) int { return cmp.Compare(a.shipmentID, b.shipmentID) })
	}
	return missing, nil
}

// open reports whether the target is neither found nor refused.
func (t *target) open() bool { return t.code == "" && len(t.at) == 0 }

func notFound(s marketplace.Subject) (shipment.Code, string) {
	if s == marketplace.SubjectService {
		return shipment.CodeInvalidService, "no such service, or more than one"
	}
	return shipment.CodeInvalidReturn, "no such return"
}
