package eventstest

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// StoryLength is how many events Story has.
const StoryLength = 8

// Story returns the events of one shipment from creation to completion, starting at the given time. The number makes
// the ids unique; every third shipment has two items.
//
//nolint:funlen // A list of eight steps.
func Story(n int, created time.Time) []*ledgerv1.Event {
	s := newShipment(n, created)
	events := make([]*ledgerv1.Event, 0, StoryLength)
	at := func(step int) *ledgerv1.Moment {
		return &ledgerv1.Moment{At: timestamppb.New(created.Add(time.Duration(step) * 7 * time.Hour))}
	}
	next := func(
		step int, to ledgerv1.Status,
		body func(*ledgerv1.Event, *ledgerv1.Moment), change func(*ledgerv1.Shipment, *ledgerv1.Moment),
	) {
		m := at(step)
		from := s.Status
		s = s.CloneVT()
		s.Version++
		s.Status = to
		tr := &ledgerv1.Transition{From: from, To: to}
		for _, i := range s.Items {
			live := i.Ordered
			before := live
			if from == 0 {
				before = 0
			}
			tr.Items = append(tr.Items, &ledgerv1.ItemTransition{
				OrderItemId: i.OrderItemId, From: from, To: to, LiveBefore: before, LiveAfter: live,
			})
			i.Status, i.Forward = to, to
		}
		change(s, m)
		e := &ledgerv1.Event{Transition: tr, After: s}
		body(e, m)
		events = append(events, e)
	}
	next(0, ledgerv1.Status_STATUS_APPROVED,
		func(e *ledgerv1.Event, m *ledgerv1.Moment) {
			e.Body = &ledgerv1.Event_ShipmentCreated{ShipmentCreated: &ledgerv1.ShipmentCreated{At: m}}
		},
		func(s *ledgerv1.Shipment, m *ledgerv1.Moment) {
			s.Times.Created = m
			clock := func(kind ledgerv1.ClockKind, due *timestamppb.Timestamp) *ledgerv1.Clock {
				return &ledgerv1.Clock{
					Kind: kind, SubjectId: s.ShipmentId, StartedAt: m.At, FirstDueAt: due, DueAt: due,
				}
			}
			s.Clocks = []*ledgerv1.Clock{
				clock(ledgerv1.ClockKind_CLOCK_KIND_DISPATCH, s.DispatchBy),
				clock(ledgerv1.ClockKind_CLOCK_KIND_DELIVER, s.DeliverBy),
			}
		})
	next(1, ledgerv1.Status_STATUS_PACKING_IN_PROGRESS,
		func(e *ledgerv1.Event, m *ledgerv1.Moment) {
			e.Body = &ledgerv1.Event_LabelsRequested{LabelsRequested: &ledgerv1.LabelsRequested{At: m, Revision: 1, DueAt: m.At}}
		},
		func(s *ledgerv1.Shipment, m *ledgerv1.Moment) { s.Times.LabelsRequested, s.DocumentRevision = m, 1 })
	next(2, ledgerv1.Status_STATUS_PACKED,
		func(e *ledgerv1.Event, m *ledgerv1.Moment) {
			b := &ledgerv1.ShipmentPacked{At: m, Revision: 1, Packing: e.After.Packing}
			e.Body = &ledgerv1.Event_ShipmentPacked{ShipmentPacked: b}
		},
		func(s *ledgerv1.Shipment, m *ledgerv1.Moment) {
			s.Times.Packed = m
			s.Packing = &ledgerv1.Packing{
				Courier:       &ledgerv1.Courier{VendorName: "E-Kart Logistics", TrackingId: fmt.Sprintf("FMPP%010d", n)},
				InvoiceNumber: fmt.Sprintf("INV-%08d", n), InvoiceDate: m,
				DocumentsRef: fmt.Sprintf("documents/%s/1", s.ShipmentId),
			}
		})
	next(3, ledgerv1.Status_STATUS_READY_TO_DISPATCH,
		func(e *ledgerv1.Event, m *ledgerv1.Moment) {
			e.Body = &ledgerv1.Event_ReadyToDispatch{ReadyToDispatch: &ledgerv1.ReadyToDispatch{At: m}}
		},
		func(s *ledgerv1.Shipment, m *ledgerv1.Moment) { s.Times.Ready = m })
	next(4, ledgerv1.Status_STATUS_PICKUP_COMPLETE,
		func(e *ledgerv1.Event, m *ledgerv1.Moment) {
			e.Body = &ledgerv1.Event_PickupCompleted{PickupCompleted: &ledgerv1.PickupCompleted{At: m}}
		},
		func(s *ledgerv1.Shipment, m *ledgerv1.Moment) { s.Times.PickedUp, s.Clocks[0].Done = m, m })
	next(5, ledgerv1.Status_STATUS_SHIPPED,
		func(e *ledgerv1.Event, m *ledgerv1.Moment) {
			e.Body = &ledgerv1.Event_ShipmentShipped{ShipmentShipped: &ledgerv1.ShipmentShipped{At: m}}
		},
		func(s *ledgerv1.Shipment, m *ledgerv1.Moment) {
			s.Times.Shipped = m
			s.Stages = append(s.Stages, ledgerv1.Stage_STAGE_SHIPPED)
			for _, i := range s.Items {
				i.Shipped = i.Ordered
			}
		})
	next(6, ledgerv1.Status_STATUS_DELIVERED,
		func(e *ledgerv1.Event, m *ledgerv1.Moment) {
			e.Body = &ledgerv1.Event_ShipmentDelivered{ShipmentDelivered: &ledgerv1.ShipmentDelivered{At: m}}
		},
		func(s *ledgerv1.Shipment, m *ledgerv1.Moment) {
			s.Times.Delivered, s.Clocks[1].Done = m, m
			s.Stages = append(s.Stages, ledgerv1.Stage_STAGE_DELIVERED)
			for _, i := range s.Items {
				i.Delivered = i.Ordered
			}
		})
	next(7, ledgerv1.Status_STATUS_COMPLETED,
		func(e *ledgerv1.Event, m *ledgerv1.Moment) {
			e.Body = &ledgerv1.Event_ShipmentCompleted{ShipmentCompleted: &ledgerv1.ShipmentCompleted{At: m}}
		},
		func(s *ledgerv1.Shipment, m *ledgerv1.Moment) {
			s.Times.Completed = m
			s.Stages = append(s.Stages, ledgerv1.Stage_STAGE_COMPLETED)
		})
	return events
}

func newShipment(n int, created time.Time) *ledgerv1.Shipment {
	id := fmt.Sprintf("%08x-5a1e-4c0d-9b7f-%012x", uint32(n)*2654435761, n)
	s := &ledgerv1.Shipment{
		ShipmentId: id, OrderId: fmt.Sprintf("OD%018d", n),
		SellerId: fmt.Sprintf("seller-%03d", n%97), LocationId: fmt.Sprintf("LOC%04d", n%211),
		Fulfilment: ledgerv1.Fulfilment_FULFILMENT_STANDARD, Times: &ledgerv1.Times{},
		DispatchAfter: timestamppb.New(created.Add(time.Hour)), DispatchBy: timestamppb.New(created.Add(30 * time.Hour)),
		DeliverBy: timestamppb.New(created.Add(120 * time.Hour)),
		Details:   &ledgerv1.ShipmentDetails{ShipmentType: "NORMAL", PackagingPolicy: "DEFAULT", Source: "marketplace"},
	}
	items := 1
	if n%3 == 0 {
		items = 2
	}
	price := int64(19900 + n%500*100)
	for i := range items {
		s.Items = append(s.Items, &ledgerv1.Item{
			OrderItemId: fmt.Sprintf("%s-%d", s.OrderId, i), Ordered: uint32(1 + n%2),
			CancellationGroupId: fmt.Sprintf("g%d", i),
			Details: &ledgerv1.ItemDetails{
				OrderDate: timestamppb.New(created.Add(-time.Minute)), PaymentType: "PREPAID", Fsn: fmt.Sprintf("FSN%013d", n%5000),
				Sku: fmt.Sprintf("SKU-%05d", n%5000), ListingId: fmt.Sprintf("LST%017d", n%5000),
				Title: "Cotton T-shirt, round neck, blue, L",
				Hsn:   "61091000", Price: &ledgerv1.Price{Currency: "INR", SellingMinor: &price, TotalMinor: &price},
			},
		})
	}
	return s
}
