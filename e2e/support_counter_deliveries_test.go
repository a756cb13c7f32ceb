package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// pushed is a message of suborders.v1 in the form that the receiver must get.
type pushed struct {
	id   int64
	body []byte
}

// countDeliveries compares the receiver's requests with suborders.v1, and suborders.v1 with the ledger: each message is
// delivered, in order, every repeat has the same bytes, and nothing arrives that is not in the topic.
func (e *evidence) countDeliveries(v *verdict, l *ledger) {
	for _, wrong := range e.receiver {
		v.add("receiver", "%s", wrong)
	}
	due, caused := e.readSuborders(v)
	for i := range l.events {
		ev := &l.events[i]
		if _, created := ev.event.GetBody().(*ledgerv1.Event_ShipmentCreated); created {
			v.check(caused[ev.env.ID] == "SUBORDER_CREATE", "message lost", "%s caused no SUBORDER_CREATE", ev.env.ID)
		}
		_, cancelled := ev.event.GetBody().(*ledgerv1.Event_ItemsCancelled)
		if cancelled && ev.event.GetAfter().GetStatus() == ledgerv1.Status_STATUS_CANCELLED {
			v.check(caused[ev.env.ID] == "SUBORDER_CANCEL", "message lost", "%s caused no SUBORDER_CANCEL", ev.env.ID)
		}
	}
	arrived := map[string][]int64{} // By suborder, in the order of the first arrival.
	bodies := map[string]map[int64][]byte{}
	accepted := map[string]map[int64]bool{}
	for _, r := range e.received {
		if bodies[r.OrderCode] == nil {
			bodies[r.OrderCode], accepted[r.OrderCode] = map[int64][]byte{}, map[int64]bool{}
		}
		if known, again := bodies[r.OrderCode][r.MessageID]; again {
			v.check(bytes.Equal(known, r.Body), "delivery", "message %d of %s was repeated with another body", r.MessageID, r.OrderCode)
		} else {
			bodies[r.OrderCode][r.MessageID] = r.Body
		}
		// Requests are in the order of their answers. The order of messages is that of their first acceptance.
		if r.Status >= 200 && r.Status < 300 && !accepted[r.OrderCode][r.MessageID] {
			accepted[r.OrderCode][r.MessageID] = true
			arrived[r.OrderCode] = append(arrived[r.OrderCode], r.MessageID)
		}
	}
	for _, order := range slices.Sorted(maps.Keys(due)) {
		var want []int64
		for _, m := range due[order] {
			want = append(want, m.id)
			body, got := bodies[order][m.id]
			v.check(accepted[order][m.id], "delivery lost", "message %d of %s", m.id, order)
			v.check(!got || bytes.Equal(body, m.body), "delivery", "message %d of %s has another body than its record", m.id, order)
		}
		v.check(slices.Equal(want, arrived[order]), "delivery order", "%s got %v, want %v", order, arrived[order], want)
	}
	for order := range arrived {
		v.check(due[order] != nil, "delivery of nothing", "%s got %v and has no messages", order, arrived[order])
	}
}

// readSuborders returns the messages that the receiver must get, by suborder, and the type of message that each event
// caused. A message that a translator wrote twice must have equal bodies, and counts once.
func (e *evidence) readSuborders(v *verdict) (due map[string][]pushed, caused map[string]string) {
	due, caused = map[string][]pushed{}, map[string]string{}
	for _, lane := range slices.Sorted(maps.Keys(e.suborders)) {
		seen := map[int64][]byte{}
		var last int64
		for _, r := range e.suborders[lane] {
			h := map[string]string{}
			for _, one := range r.Headers {
				h[one.Key] = string(one.Value)
			}
			id, err := strconv.ParseInt(h[events.HeaderID], 10, 64)
			if err != nil {
				v.add("message", "lane %d offset %d: ce_id %q", lane, r.Offset, h[events.HeaderID])
				continue
			}
			if known, again := seen[id]; again {
				v.check(bytes.Equal(known, r.Value), "message", "%d in lane %d was written again with another body", id, lane)
				continue
			}
			v.check(id > last, "message order", "lane %d offset %d: %d after %d", lane, r.Offset, id, last)
			last, seen[id] = id, r.Value
			v.check(caused[h[events.HeaderCausationID]] == "", "message", "%s caused two messages", h[events.HeaderCausationID])
			caused[h[events.HeaderCausationID]] = h[events.HeaderType]
			if body, taken := forReceiver(h, r.Value); taken {
				due[string(r.Key)] = append(due[string(r.Key)], pushed{id, body})
			}
		}
	}
	return due, caused
}

// forReceiver returns the body that an endpoint gets whose filter takes everything, and SUBORDER_COMPLETE at the stage
// shipped. It gets a COMPLETE of a later stage under the type that the headers name instead, or not at all, and no
// update of properties once that stage is reached.
func forReceiver(h map[string]string, body []byte) ([]byte, bool) {
	const complete, update = "SUBORDER_COMPLETE", "SUBORDER_PROPERTIES_UPDATE"
	shipped := func(header string) bool { return slices.Contains(strings.Split(h[header], ","), "shipped") }
	switch {
	case h[events.HeaderType] == update && shipped("ol_reached"):
		return nil, false
	case h[events.HeaderType] != complete || shipped("ol_stages"):
		return body, true
	case h["ol_otherwise"] == "":
		return nil, false
	}
	return bytes.Replace(body, fmt.Appendf(nil, `"eventType":%q`, complete), fmt.Appendf(nil, `"eventType":%q`, h["ol_otherwise"]), 1), true
}
