package testkit

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// arrive checks a request against the earlier ones. It is called with mu held.
func (r *Receiver) arrive(got *Received, request *http.Request) *receivedOrder {
	if id := got.Header.Get("Webhook-Id"); id != strconv.FormatInt(got.MessageID, 10) {
		r.violate("webhook-id %q of message %d", id, got.MessageID)
	}
	if request.Method != http.MethodPost {
		r.violate("message %d was sent with %s", got.MessageID, request.Method)
	}
	if r.webhook != nil {
		if err := r.webhook.Verify(got.Body, got.Header); err != nil {
			r.violate("message %d: %v", got.MessageID, err)
		}
	}
	order := r.orders[got.OrderCode]
	if order == nil {
		order = &receivedOrder{bodies: make(map[int64][]byte), accepted: make(map[int64]bool), at: -1}
		r.orders[got.OrderCode] = order
	}
	if order.inside > 0 {
		r.overlaps++
	}
	order.inside++
	if known, repeat := order.bodies[got.MessageID]; repeat {
		r.repeats++
		if !bytes.Equal(known, got.Body) {
			r.violate("message %d of %s was repeated with another body", got.MessageID, got.OrderCode)
		}
		index := slices.Index(order.ids, got.MessageID)
		if index > order.at+1 {
			r.violate("message %d of %s skipped %v", got.MessageID, got.OrderCode, order.ids[order.at+1:index])
		}
		order.at = index
		return order
	}
	if n := len(order.ids); n > 0 {
		switch last := order.ids[n-1]; {
		case got.MessageID < last:
			r.violate("message %d of %s first arrived after %d", got.MessageID, got.OrderCode, last)
		case order.at != n-1:
			r.violate("message %d of %s arrived in the middle of a repeat, after %d",
				got.MessageID, got.OrderCode, order.ids[order.at])
		case !order.accepted[last]:
			r.violate("message %d of %s overtook %d", got.MessageID, got.OrderCode, last)
		}
	}
	order.ids = append(order.ids, got.MessageID)
	order.at = len(order.ids) - 1
	order.bodies[got.MessageID] = got.Body
	return order
}

func (r *Receiver) violate(format string, args ...any) {
	r.violations = append(r.violations, fmt.Sprintf(format, args...))
}
