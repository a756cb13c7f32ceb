package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/marketplace"
)

// Sellers of the demo. The first is external: its facts arrive as notifications. For the second this system is the
// marketplace itself, so that its calls have an effect.
const (
	ExternalSeller = "5d8a1e3f9b7c2460"
	OwnSeller      = "a1c49e07d2f3b586"
	// OwnToken is the bearer token of OwnSeller's calls in the demo's configuration.
	OwnToken = "demo-token"
)

// Notification is one notification and the time when it is sent.
type Notification struct {
	At   time.Time
	Body []byte
}

// object keeps the literals below readable.
type object = map[string]any

// product is something that the demo's sellers sell.
type product struct {
	sku, title, fsn string
	price           float64
}

var products = []product{ //nolint:gochecknoglobals // A table.
	{"KETTLE-15", "Electric kettle 1.5 l", "KTLEJ4ZQ2BXV8H3M", 1299},
	{"LAMP-DESK", "Desk lamp, dimmable", "LMPFW7T9CYNQ4D6R", 899.5},
	{"MUG-BLUE", "Mug, blue glaze", "MUGPX2K8VZT5S3LB", 249},
	{"CHAIR-OAK", "Oak dining chair", "CHRGN6M4QWJ7F9YD", 5490},
	{"CABLE-USBC", "USB-C cable 2 m", "CBLHR3D5XKP8T2ZN", 349.75},
	{"SHIRT-L", "Linen shirt, L", "SHTYV9B6NLQ4C7WK", 1799},
}

// maker generates histories.
type maker struct {
	rand *rand.Rand
	now  time.Time
	out  []Notification
}

// Histories returns the notifications of n shipments of ExternalSeller up to now, in the order of sending. The same
// seed gives the same histories.
func Histories(seed uint64, n int, now time.Time) []Notification {
	m := &maker{rand: rand.New(rand.NewPCG(seed, 0x6f72646572)), now: now.UTC().Truncate(time.Second)}
	for i := range n {
		m.shipment(i)
	}
	slices.SortStableFunc(m.out, func(a, b Notification) int { return a.At.Compare(b.At) })
	return m.out
}

// shipment generates one history. Every kind of history occurs, the ordinary ones most often.
func (m *maker) shipment(i int) {
	s := m.create(i)
	switch kind := m.rand.IntN(20); {
	case kind < 7: // Every step is reported.
		m.forward(s, "shipment_packed", "shipment_ready_to_dispatch", "shipment_pickup_complete", "shipment_shipped",
			"shipment_delivered")
	case kind < 9: // The steps between are not reported.
		m.forward(s, "shipment_shipped", "shipment_delivered")
	case kind == 9: // Held for a while.
		s.notify(m.later(s, 20*time.Minute), "shipment_hold", object{"orderItems": []object{
			{"orderItemId": s.items[0].id, "holdQuantity": s.items[0].quantity},
		}})
		s.notify(m.later(s, 3*time.Hour), "shipment_unhold", object{"status": "APPROVED"})
		m.forward(s, "shipment_packed", "shipment_shipped", "shipment_delivered")
	case kind == 10: // The dispatch dates change.
		s.notify(m.later(s, time.Hour), "shipment_dispatch_dates_changed", object{
			"dispatchAfterDate": wire(s.at), "dispatchByDate": wire(s.at.Add(96 * time.Hour)),
		})
		m.forward(s, "shipment_packed", "shipment_ready_to_dispatch", "shipment_shipped", "shipment_delivered")
	case kind == 11: // One unit is cancelled, the rest is delivered.
		s.cancel(m.later(s, 2*time.Hour), 1, "order_cancelled", "delivery_time_long")
		m.forward(s, "shipment_packed", "shipment_ready_to_dispatch", "shipment_shipped", "shipment_delivered")
	case kind == 12: // Cancelled before packing.
		s.cancel(m.later(s, 2*time.Hour), 0, "order_cancelled", "delivery_time_long")
	case kind == 13: // The seller is out of stock.
		s.cancel(m.later(s, 5*time.Hour), 0, "seller_cancellation", "not_enough_inventory")
	case kind == 14: // A form fails once.
		s.notify(m.later(s, time.Hour), "shipment_form_failed",
			object{"status": "FORM_FAILED", "forms": []string{"EWayBill"}})
		m.forward(s, "shipment_packed", "shipment_ready_to_dispatch", "shipment_shipped", "shipment_delivered")
	case kind == 15: // The customer returns it.
		m.forward(s, "shipment_packed", "shipment_shipped", "shipment_delivered")
		m.returned(s, "customer_return", "return_picked_up", "return_completed")
	case kind == 16: // The courier returns it.
		m.forward(s, "shipment_packed", "shipment_shipped")
		m.returned(s, "courier_return", "return_completed")
	case kind == 17: // The return is cancelled.
		m.forward(s, "shipment_packed", "shipment_shipped", "shipment_delivered")
		m.returned(s, "customer_return", "return_cancelled")
	case kind == 18: // The dispatch is reported before the creation, and everything twice.
		m.forward(s, "shipment_shipped", "shipment_delivered")
		s.swapCreation(m.now)
		s.repeatAll()
	default: // Cancelled although it is in transit.
		m.forward(s, "shipment_packed", "shipment_shipped")
		s.cancel(m.later(s, time.Hour), 0, "order_cancelled", "delivery_time_long")
	}
	for _, n := range s.sent {
		if !n.At.After(m.now) {
			m.out = append(m.out, n)
		}
	}
}

// history is one shipment and its notifications so far.
type history struct {
	id, order, location string
	at                  time.Time
	items               []line
	sent                []Notification
}

type line struct {
	id       string
	quantity int
}

// create begins the history of shipment number i, with a shipment_created within the last thirty days.
func (m *maker) create(i int) *history {
	id := make([]byte, 16)
	for k := range id {
		id[k] = byte(m.rand.UintN(256))
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	s := &history{
		id:       fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]),
		order:    fmt.Sprintf("OD%018d", m.rand.Uint64N(1e18)),
		location: fmt.Sprintf("LOC%032d", 1+i%3),
		at:       m.now.Add(-time.Duration(m.rand.Int64N(int64(30*24*time.Hour)/int64(time.Second))) * time.Second),
	}
	var items []object
	for k := range 1 + m.rand.IntN(2) {
		p := products[m.rand.IntN(len(products))]
		l := line{id: fmt.Sprintf("%s%d", s.order[2:18], k), quantity: 1 + m.rand.IntN(3)}
		s.items = append(s.items, l)
		price := p.price * float64(l.quantity)
		items = append(items, object{
			"orderItemId": l.id, "orderId": s.order, "cancellationGroupId": "grp" + l.id,
			"orderDate":   wire(s.at.Add(-10 * time.Minute)),
			"paymentType": []string{"PREPAID", "COD"}[m.rand.IntN(2)], "status": "APPROVED", "quantity": l.quantity,
			"sku": p.sku, "fsn": p.fsn, "listingId": "LST" + p.fsn, "title": p.title, "hsn": "8516",
			"priceComponents": object{
				"sellingPrice": price, "shippingCharge": 40, "totalPrice": price + 40, "customerPrice": price + 40,
				"flipkartDiscount": 0,
			},
			"serviceProfile": "Seller_Fulfilment",
		})
	}
	s.notify(s.at, "shipment_created", object{
		"dispatchAfterDate": wire(s.at), "dispatchByDate": wire(s.at.Add(48 * time.Hour)),
		"deliverByDate": wire(s.at.Add(7 * 24 * time.Hour)),
		"updatedAt":     wire(s.at), "hold": false, "mps": false, "packagingPolicy": "DEFAULT", "shipmentType": "NORMAL",
		"subShipments": []object{{"subShipmentId": "SS-1", "packages": []any{}}}, "orderItems": items,
		"forms": []any{}, "dispatchLocation": nil,
	})
	return s
}

// notify adds a notification about the shipment.
func (s *history) notify(at time.Time, kind string, attributes object) {
	s.add(at, object{
		"eventType": kind, "source": "flipkart", "version": "v3", "timestamp": wire(at), "sellerId": ExternalSeller,
		"locationId": s.location, "shipmentId": s.id, "attributes": attributes,
	})
}

func (s *history) add(at time.Time, envelope object) {
	body, err := json.Marshal(envelope)
	if err != nil {
		panic(err) // Every literal of this file can be marshaled.
	}
	s.sent = append(s.sent, Notification{At: at, Body: body})
}

// later returns a time after the last notification, around the given distance.
func (m *maker) later(s *history, about time.Duration) time.Time {
	last := s.sent[len(s.sent)-1].At
	return last.Add(about/2 + time.Duration(m.rand.Int64N(int64(about)))).Truncate(time.Second)
}

// forward reports the steps one after another. About one shipment in eight is slow enough to miss its date.
func (m *maker) forward(s *history, kinds ...string) {
	pace := 10 * time.Hour
	if m.rand.IntN(8) == 0 {
		pace = 70 * time.Hour
	}
	status := map[string]string{
		"shipment_packed": "PACKED", "shipment_ready_to_dispatch": "READY_TO_DISPATCH",
		"shipment_pickup_complete": "PICKUP_COMPLETE",
		"shipment_shipped":         "SHIPPED", "shipment_delivered": "DELIVERED",
	}
	for _, kind := range kinds {
		s.notify(m.later(s, pace), kind, object{"status": status[kind]})
	}
}

// cancel reports the cancellation of units of the first item; 0 means every unit of every item.
func (s *history) cancel(at time.Time, units int, reason, subReason string) {
	var items []object
	for _, l := range s.items {
		n := l.quantity
		if units > 0 {
			n = min(units, n)
		}
		items = append(items, object{"orderItemId": l.id, "quantity": n, "reason": reason, "subReason": subReason})
		if units > 0 {
			break
		}
	}
	s.notify(at, "shipment_cancelled", object{"status": "CANCELLED", "orderItems": items})
}

// returned reports a return of the first item and the steps after it.
func (m *maker) returned(s *history, source string, kinds ...string) {
	at := m.later(s, 30*time.Hour)
	returnID := fmt.Sprintf("%d", 12000000000+m.rand.Int64N(1e9))
	report := func(at time.Time, kind string, attributes object) {
		s.add(at, object{
			"eventType": kind, "source": "flipkart", "version": "v3", "timestamp": wire(at), "sellerId": ExternalSeller,
			"locationId": s.location, "returnId": returnID, "attributes": attributes,
		})
	}
	item := s.items[0]
	report(at, "return_created", object{"status": "RETURN_CREATED", "returnItems": []object{{
		"returnId": returnID, "orderItemId": item.id, "source": source, "action": "refund", "quantity": item.quantity,
		"createdDate": wire(at), "updatedDate": wire(at), "courierName": "Ekart Logistics",
		"reason": "MISSING_ITEM", "subReason": "MISSING_PRODUCT",
		"trackingId": "FMPP" + returnID, "shipmentId": s.id, "expectedDate": wire(at.Add(5 * 24 * time.Hour)),
	}}})
	for _, kind := range kinds {
		report(m.later(s, 40*time.Hour), kind, object{
			"status": strings.ToUpper(kind), "returnItems": []object{{"orderItemId": item.id}},
		})
	}
}

// swapCreation makes the creation arrive after the notification that follows it.
func (s *history) swapCreation(now time.Time) {
	if len(s.sent) > 1 && !s.sent[1].At.After(now) {
		s.sent[0].At, s.sent[1].At = s.sent[1].At, s.sent[0].At
	}
}

// repeatAll sends everything twice, like a sender that got no response.
func (s *history) repeatAll() {
	for _, n := range slices.Clone(s.sent) {
		s.sent = append(s.sent, Notification{At: n.At.Add(time.Minute), Body: n.Body})
	}
}

// wire formats a time as the marketplace's notifications do: in IST, without fractions of a second.
func wire(t time.Time) string {
	return t.In(marketplace.IST).Format("2006-01-02T15:04:05-07:00")
}
