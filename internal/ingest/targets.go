package ingest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
)

// target is where the commands of an item go, or the code that refuses the item.
type target struct {
	at      []place
	part    bool // Some of the places are not known yet.
	code    shipment.Code
	message string
}

// place is a shipment, and a service of it if the item names its service by the shipment only.
type place struct{ shipmentID, serviceID string }

// findTargets finds the shipments of the items. It looks returns and services up in the read model. One that is not
// there may have been created a moment ago, and "no such return" would be final: sellers do not repeat it. So the item
// is refused only once the tables hold everything that was answered with 200 when the lookup missed it.
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
	missing, err := m.lookUp(ctx, sellerID, action, items, out, 0)
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
	if missing, err = m.lookUp(ctx, sellerID, action, items, out, siblingWait); err != nil {
		return nil, err
	}
	for _, i := range missing {
		if out[i].part {
			out[i].code, out[i].message = httpx.CodeUnavailable, "not all shipments of the return have recorded it yet"
		} else {
			out[i].code, out[i].message = notFound(action.Subject)
		}
	}
	return out, nil
}

// siblingWait is how long the other shipments of a return may take to record it. Normally they do within milliseconds;
// one whose return is quarantined never does, and must not keep the seller from acting on the others.
const siblingWait = time.Minute

// lookUp fills in the targets that are not known yet, as far as the read model has them. It returns the items that it
// does not find. A return that not all of its shipments have recorded counts as not found until it has not changed for
// wait (zero: always), because a command must reach all of them.
func (m *commands) lookUp(
	ctx context.Context, sellerID string, action marketplace.Action, items []marketplace.Command, out []target,
	wait time.Duration,
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
			at := found[c.ID]
			out[i].part = !at.complete() && (wait == 0 || time.Since(at.updated) < wait)
			if out[i].part {
				break
			}
			for _, id := range at.shipmentIDs {
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
		return shipment.CodeInvalidService, "There is no such service; check serviceFulfilmentId. " +
			"An item that names only its shipment is for a shipment with one open service."
	}
	return shipment.CodeInvalidReturn, "There is no such return; check its id."
}
