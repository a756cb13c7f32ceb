package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/demo"
)

// recordEndings reads histories and records how the shipments with only one possible ending must end: at the furthest
// step that was reported, or cancelled if every unit was.
func (w *workload) recordEndings(histories []demo.Notification) {
	type history struct {
		units, cancelled, furthest int
		returned, formFailed       bool
		seen                       map[string]bool
	}
	steps := []string{"APPROVED", "PACKED", "READY_TO_DISPATCH", "PICKUP_COMPLETE", "SHIPPED", "DELIVERED"}
	all := map[string]*history{}
	for _, h := range histories {
		var n struct {
			EventType, ShipmentID string
			Attributes            struct {
				Status      string
				OrderItems  []struct{ Quantity int }
				ReturnItems []struct{ ShipmentID string }
			}
		}
		if err := json.Unmarshal(h.Body, &n); err != nil {
			w.record.addViolation("history: %v", err)
			return
		}
		for _, item := range n.Attributes.ReturnItems {
			if s := all[item.ShipmentID]; s != nil {
				s.returned = true
			}
		}
		if n.ShipmentID == "" {
			continue
		}
		s := all[n.ShipmentID]
		if s == nil {
			s = &history{seen: map[string]bool{}}
			all[n.ShipmentID] = s
		}
		if s.seen[string(h.Body)] {
			continue
		}
		s.seen[string(h.Body)] = true
		for _, item := range n.Attributes.OrderItems {
			switch n.EventType {
			case "shipment_created":
				s.units += item.Quantity
			case "shipment_cancelled":
				s.cancelled += item.Quantity
			}
		}
		s.formFailed = s.formFailed || n.Attributes.Status == "FORM_FAILED"
		s.furthest = max(s.furthest, slices.Index(steps, n.Attributes.Status))
	}
	for id, s := range all {
		switch {
		case s.units == 0 || s.returned:
			// Its creation is not in these histories, or it was returned: the record does not know the rules of returns.
		case s.cancelled >= s.units:
			w.record.expect(id, ending{"CANCELLED", uint32(s.units)})
		case s.formFailed && s.furthest == 0:
			// Its form failed, and the notification that corrects it is not in these histories.
		default:
			w.record.expect(id, ending{steps[s.furthest], uint32(s.cancelled)})
		}
	}
}

// object keeps the bodies below readable.
type object = map[string]any

// cart is a group of shipments of an own seller that go through the same calls, several in one call.
type cart struct {
	name     string
	location string
	ids      []string
	at       time.Time
}

// item returns the id of item k of shipment n, and group the id of its cancellation group. Each item has its own.
func (c cart) item(n, k int) string  { return fmt.Sprintf("%s%02d%d", c.name, n, k) }
func (c cart) group(n, k int) string { return "grp" + c.item(n, k) }

// units is how many units each item has.
const units = 2

// seller takes one cart after another from creation to its end until the workload is over.
func (w *workload) seller(ctx context.Context, n int) {
	random := rand.New(rand.NewPCG(w.seed, uint64(n)))
	for i := 0; !w.over() && ctx.Err() == nil; i++ {
		c := cart{name: fmt.Sprintf("%d%d%05d", w.seed%1_000_000, n, i), location: "LOC" + strings.Repeat("0", 31) + "9", at: time.Now().UTC().Truncate(time.Second)}
		for k := range 1 + random.IntN(4) {
			c.ids = append(c.ids, fmt.Sprintf("own-%s-%d", c.name, k))
		}
		w.fulfil(ctx, c, random)
		if !after(ctx, time.Duration(20+random.IntN(200))*time.Millisecond) {
			return
		}
	}
}

// fulfil takes a cart from its creation to its end.
func (w *workload) fulfil(ctx context.Context, c cart, random *rand.Rand) {
	for n, id := range c.ids {
		var items []object
		for k := range 2 {
			items = append(items, object{
				"orderItemId": c.item(n, k), "orderId": "OD" + c.name, "cancellationGroupId": c.group(n, k), "orderDate": wireTime(c.at.Add(-2 * time.Hour)),
				"paymentType": "PREPAID", "status": "APPROVED", "quantity": units, "sku": "MUG", "fsn": "FSNMUG", "listingId": "LSTMUG", "title": "Mug",
				"priceComponents": object{"sellingPrice": 249, "shippingCharge": 0, "totalPrice": 249},
			})
		}
		w.notifyOwn(ctx, c, id, "shipment_created", c.at.Add(-time.Hour), object{
			"dispatchAfterDate": wireTime(c.at.Add(-time.Hour)), "dispatchByDate": wireTime(c.at.Add(24 * time.Hour)),
			"updatedAt": wireTime(c.at.Add(-time.Hour)), "hold": false, "shipmentType": "NORMAL", "orderItems": items,
		})
	}
	kind := random.IntN(10)
	left := []int{0, 1} // The items that are not cancelled.
	for kind < 6 && len(left) > 0 {
		k := left[0]
		if !w.callUntilAccepted(ctx, c, "cancel", fmt.Sprintf("cancel%d", k), func(n int, id string) object {
			return object{"shipmentId": id, "locationId": c.location, "cancellationGroupIds": []string{c.group(n, k)}, "reason": "cannot_procure_item"}
		}) {
			return
		}
		left = left[1:]
		if kind > 2 {
			break // Only one of the two.
		}
	}
	cancelled := uint32((2 - len(left)) * units)
	if len(left) == 0 {
		for _, id := range c.ids {
			w.record.expect(id, ending{"CANCELLED", cancelled})
		}
		return
	}
	if !w.callUntilAccepted(ctx, c, "labels", "labels", func(n int, id string) object {
		var tax []object
		for _, k := range left {
			tax = append(tax, object{"orderItemId": c.item(n, k), "taxRate": 18, "quantity": units})
		}
		return object{
			"shipmentId": id, "locationId": c.location, "taxItems": tax,
			"invoices":     []object{{"orderId": "OD" + c.name, "invoiceDate": c.at.Format("2006-01-02"), "invoiceNumber": "INV-" + id}},
			"subShipments": []object{{"subShipmentId": "SS-1", "dimensions": object{"length": 20, "breadth": 15, "height": 10, "weight": 0.8}}},
		}
	}) {
		return
	}
	// Dispatch is refused until the labels are rendered, which may take as long as the faults last.
	if !w.callUntilAccepted(ctx, c, "dispatch", "dispatch", nil) {
		return
	}
	for _, kind := range []string{"shipment_pickup_complete", "shipment_shipped", "shipment_delivered"} {
		for _, id := range c.ids {
			w.notifyOwn(ctx, c, id, kind, time.Now().UTC(), object{"status": strings.ToUpper(strings.TrimPrefix(kind, "shipment_"))})
		}
	}
	for _, id := range c.ids {
		w.record.expect(id, ending{"DELIVERED", cancelled})
	}
}

// notifyOwn sends a notification about a shipment of the own seller.
func (w *workload) notifyOwn(ctx context.Context, c cart, id, kind string, at time.Time, attributes object) {
	body, err := json.Marshal(object{
		"eventType": kind, "source": "sandbox", "version": "v3", "timestamp": wireTime(at), "sellerId": demo.OwnSeller,
		"locationId": c.location, "shipmentId": id, "attributes": attributes,
	})
	if err != nil {
		w.record.addViolation("marshal: %v", err)
		return
	}
	w.notify(ctx, body)
}

// tries is how often a rejected call is made again: its shipment may not be known or packed yet.
const tries = 40

// callUntilAccepted calls for all shipments of a cart until each is accepted. A call without an answer, or in doubt, is
// repeated under its key. A rejected one is made again under a new key, because the ledger may have been behind, and so
// is one that was certainly not stored. The name distinguishes calls of one action.
func (w *workload) callUntilAccepted(
	ctx context.Context, c cart, action, name string, item func(n int, id string) object,
) bool {
	left := slices.Clone(c.ids)
	for try := range tries {
		key := fmt.Sprintf("%s-%s-%d", c.name, name, try)
		results, ok := w.call(ctx, action, key, w.body(c, action, left, item))
		if !ok {
			return false
		}
		left = slices.DeleteFunc(left, func(id string) bool { return results[id].ok })
		if len(left) == 0 {
			return true
		}
		if w.over() || !after(ctx, min(time.Second, time.Duration(try+1)*50*time.Millisecond)) {
			return false
		}
	}
	return false
}

func (w *workload) body(c cart, action string, ids []string, item func(n int, id string) object) []byte {
	body := object{"shipmentIds": ids, "locationId": c.location}
	if action != "dispatch" {
		var list []object
		for _, id := range ids {
			list = append(list, item(slices.Index(c.ids, id), id))
		}
		body = object{"shipments": list}
	}
	text, err := json.Marshal(body)
	if err != nil {
		w.record.addViolation("marshal: %v", err)
	}
	return text
}

// call makes one call, and repeats it with the same key until the outcome of every shipment in it is known.
func (w *workload) call(ctx context.Context, action, key string, body []byte) (map[string]callAnswer, bool) {
	w.record.addTried(key)
	mayBeStored := false // An earlier request with this key may have been executed.
	for {
		got, ok := w.post(ctx, "/sellers/v3/shipments/"+action, key, body)
		if !ok {
			return nil, false
		}
		mayBeStored = mayBeStored || got.mayBeStored
		var answer struct {
			Shipments []struct{ ShipmentID, Status, ErrorCode string }
		}
		if err := json.Unmarshal(got.text, &answer); err != nil {
			w.record.addViolation("answer to %s: %v: %s", action, err, got.text)
			return nil, false
		}
		results := map[string]callAnswer{}
		open := false
		for _, s := range answer.Shipments {
			o := callAnswer{
				key: "seller/" + demo.OwnSeller + "/" + key, shipment: s.ShipmentID,
				ok: s.Status == "SUCCESS", code: s.ErrorCode, position: got.position,
			}
			if o.code == codeInDoubt || o.code == codeNotStored && mayBeStored {
				// A request that is not stored says nothing about an earlier one with its key.
				open = true
				continue
			}
			results[s.ShipmentID] = o
			if o.code != codeNotStored {
				w.record.addAnswer(o)
			}
		}
		if !open {
			for _, o := range results {
				if o.code == codeNotStored {
					w.record.addAnswer(o) // And its key is never used again.
				}
			}
			return results, true
		}
		mayBeStored = true
		w.record.unanswered.Add(1)
		if !after(ctx, 50*time.Millisecond) {
			return nil, false
		}
	}
}

// wireTime formats a time as notifications do.
func wireTime(t time.Time) string { return t.Format("2006-01-02T15:04:05-07:00") }
