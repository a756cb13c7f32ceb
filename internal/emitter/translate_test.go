package emitter

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// twoItems returns a shipment with two items of two units each, changed by the given function.
func twoItems(change func(s *ledgerv1.Shipment)) *ledgerv1.Shipment {
	at := timestamppb.New(sampleTime)
	s := &ledgerv1.Shipment{
		ShipmentId: "s1", Version: 2, OrderId: "o1", SellerId: "seller-1", LocationId: "loc1",
		Times: &ledgerv1.Times{Created: &ledgerv1.Moment{At: at}}, DispatchBy: at, FirstRecordedAt: at,
		Items: []*ledgerv1.Item{
			{OrderItemId: "i1", Ordered: 2, Details: &ledgerv1.ItemDetails{Sku: "sku1", PaymentType: "PREPAID"}},
			{OrderItemId: "i2", Ordered: 2, Details: &ledgerv1.ItemDetails{Sku: "sku2", PaymentType: "PREPAID"}},
		},
		Details: &ledgerv1.ShipmentDetails{Source: "flipkart"},
	}
	if change != nil {
		change(s)
	}
	return s
}

func stages(s ...ledgerv1.Stage) []ledgerv1.Stage { return s }

const (
	stageShipped   = ledgerv1.Stage_STAGE_SHIPPED
	stageDelivered = ledgerv1.Stage_STAGE_DELIVERED
	stageCompleted = ledgerv1.Stage_STAGE_COMPLETED
)

func TestTranslateEventTypes(t *testing.T) {
	t.Parallel()
	itemsCancelled := &ledgerv1.Event_ItemsCancelled{ItemsCancelled: &ledgerv1.ItemsCancelled{}}
	held := &ledgerv1.Event_ShipmentHeld{ShipmentHeld: &ledgerv1.ShipmentHeld{}}
	released := &ledgerv1.Event_ShipmentReleased{ShipmentReleased: &ledgerv1.ShipmentReleased{}}
	dates := func(d *ledgerv1.DispatchDatesChanged) *ledgerv1.Event {
		return &ledgerv1.Event{Body: &ledgerv1.Event_DispatchDatesChanged{DispatchDatesChanged: d}}
	}
	properties := func(p *ledgerv1.PropertiesUpdated) *ledgerv1.Event {
		return &ledgerv1.Event{Body: &ledgerv1.Event_PropertiesUpdated{PropertiesUpdated: p}}
	}
	address := &ledgerv1.ShipmentDetails{DeliveryAddress: &ledgerv1.Address{}}
	shipped := &ledgerv1.Event_ShipmentShipped{ShipmentShipped: &ledgerv1.ShipmentShipped{}}
	cancelAll := func(s *ledgerv1.Shipment) {
		s.Items[0].CancelledSeller, s.Items[1].CancelledUnknown = 2, 2
	}
	reached := func(st ...ledgerv1.Stage) func(s *ledgerv1.Shipment) {
		return func(s *ledgerv1.Shipment) { s.Stages = st }
	}
	now := timestamppb.New(sampleTime)

	for name, test := range map[string]struct {
		event     *ledgerv1.Event
		new       []ledgerv1.Stage
		change    func(s *ledgerv1.Shipment)
		want      string
		otherwise string
		hold      string
		stages    string
		reached   string
	}{
		"a shipment is created": {
			event: &ledgerv1.Event{Body: &ledgerv1.Event_ShipmentCreated{}}, want: SuborderCreate,
		},
		"a shipment is created without live units": {
			event: &ledgerv1.Event{Body: &ledgerv1.Event_ShipmentCreated{}}, change: cancelAll, want: SuborderCreate,
		},
		"some units are cancelled": {
			event:  &ledgerv1.Event{Body: itemsCancelled},
			change: func(s *ledgerv1.Shipment) { s.Items[0].CancelledSeller = 2 }, want: SuborderPartialCancel,
		},
		"some units are cancelled after all was shipped": {
			event:  &ledgerv1.Event{Body: itemsCancelled},
			change: func(s *ledgerv1.Shipment) { s.Items[0].CancelledSeller, s.Stages = 1, stages(stageShipped) },
			want:   SuborderPartialCancel,
		},
		"the last live units are cancelled": {
			event: &ledgerv1.Event{Body: itemsCancelled}, change: cancelAll, want: SuborderCancel,
		},
		"the last live units are cancelled after all was shipped": {
			event:  &ledgerv1.Event{Body: itemsCancelled},
			change: func(s *ledgerv1.Shipment) { cancelAll(s); s.Stages = stages(stageShipped) }, want: SuborderCancel,
		},
		"a cancellation leaves only shipped units": {
			event: &ledgerv1.Event{Body: itemsCancelled}, new: stages(stageShipped),
			change: func(s *ledgerv1.Shipment) { s.Items[0].CancelledSeller, s.Stages = 2, stages(stageShipped) },
			want:   SuborderComplete, otherwise: SuborderPartialCancel, stages: "shipped",
		},
		"the last unit is shipped": {
			event: &ledgerv1.Event{Body: shipped}, new: stages(stageShipped), change: reached(stageShipped),
			want: SuborderComplete, stages: "shipped",
		},
		"one of two items is shipped": {event: &ledgerv1.Event{Body: shipped}},
		"a fact skips two stages": {
			event:  &ledgerv1.Event{Body: &ledgerv1.Event_ShipmentDelivered{}},
			new:    stages(stageShipped, stageDelivered, stageCompleted),
			change: reached(stageShipped, stageDelivered, stageCompleted),
			want:   SuborderComplete, stages: "shipped,delivered,completed",
		},
		"a delivery is reported after it was shipped": {
			event: &ledgerv1.Event{Body: &ledgerv1.Event_ShipmentDelivered{}}, new: stages(stageDelivered),
			change: reached(stageShipped, stageDelivered), want: SuborderComplete, stages: "delivered",
		},
		"a late fact about a stage that was reached": {
			event: &ledgerv1.Event{Body: shipped}, change: reached(stageShipped, stageDelivered),
		},
		"a return implies that it was shipped": {
			event: &ledgerv1.Event{Body: &ledgerv1.Event_ReturnCreated{}}, new: stages(stageShipped),
			change: reached(stageShipped), want: SuborderComplete, stages: "shipped",
		},
		"a return of what was shipped": {event: &ledgerv1.Event{Body: &ledgerv1.Event_ReturnCreated{}}, change: reached(stageShipped)},
		"a courier return is cancelled and revives units after CANCEL": {
			event: &ledgerv1.Event{Body: &ledgerv1.Event_ShipmentDelivered{}}, new: stages(stageDelivered),
			change: func(s *ledgerv1.Shipment) {
				s.Stages, s.Items[1].CancelledCustomer = stages(stageShipped, stageDelivered), 2
				s.Items[0].Cancellations = []*ledgerv1.Cancellation{{Units: 2, Revived: 2, AfterShipped: true}}
			},
		},
		"a courier return is cancelled and revives the only cancelled item": {
			event: &ledgerv1.Event{Body: &ledgerv1.Event_ShipmentDelivered{}}, new: stages(stageDelivered),
			change: func(s *ledgerv1.Shipment) {
				s.Stages = stages(stageShipped, stageDelivered)
				s.Items[0].Cancellations = []*ledgerv1.Cancellation{{Units: 2, Revived: 2, AfterShipped: true}}
			},
			want: SuborderComplete, stages: "delivered",
		},
		"a hold":    {event: &ledgerv1.Event{Body: held}, want: SuborderPropertiesUpdate, hold: HoldHeld},
		"a release": {event: &ledgerv1.Event{Body: released}, want: SuborderPropertiesUpdate, hold: HoldReleased},
		"a hold after a stage": {
			event: &ledgerv1.Event{Body: held}, change: reached(stageShipped),
			want: SuborderPropertiesUpdate, hold: HoldHeld, reached: "shipped",
		},
		"a release after cancel":                         {event: &ledgerv1.Event{Body: released}, change: cancelAll},
		"a new dispatch date":                            {event: dates(&ledgerv1.DispatchDatesChanged{DispatchBy: now}), want: SuborderPropertiesUpdate},
		"a new earliest date":                            {event: dates(&ledgerv1.DispatchDatesChanged{DispatchAfter: now}), want: SuborderPropertiesUpdate},
		"a new delivery date, which no message contains": {event: dates(&ledgerv1.DispatchDatesChanged{DeliverBy: now})},
		"a new dispatch date after two stages": {
			event: dates(&ledgerv1.DispatchDatesChanged{DispatchBy: now}), change: reached(stageShipped, stageDelivered),
			want: SuborderPropertiesUpdate, reached: "shipped,delivered",
		},
		"an address becomes known": {
			event: properties(&ledgerv1.PropertiesUpdated{Details: address}),
			want:  SuborderPropertiesUpdate,
		},
		"the reason of a cancellation becomes known": {
			event: properties(&ledgerv1.PropertiesUpdated{Items: []*ledgerv1.ItemPatch{{
				CancelledBy: ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER,
			}}}),
			want: SuborderPropertiesUpdate,
		},
		"a price changes": {
			event: properties(&ledgerv1.PropertiesUpdated{Items: []*ledgerv1.ItemPatch{{
				Details: &ledgerv1.ItemDetails{Price: &ledgerv1.Price{}},
			}}}),
			want: SuborderPropertiesUpdate,
		},
		"a form changes, which no message contains": {
			event: properties(&ledgerv1.PropertiesUpdated{Forms: []*ledgerv1.Form{{Name: "f"}}, MarketplaceUpdatedAt: now}),
		},
		"an address after cancel": {
			event:  properties(&ledgerv1.PropertiesUpdated{Details: address}),
			change: cancelAll,
		},
		"packed":           {event: &ledgerv1.Event{Body: &ledgerv1.Event_ShipmentPacked{}}},
		"tracking updated": {event: &ledgerv1.Event{Body: &ledgerv1.Event_TrackingUpdated{}}},
		"labels requested": {event: &ledgerv1.Event{Body: &ledgerv1.Event_LabelsRequested{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := test.event
			e.After, e.Transition = twoItems(test.change), &ledgerv1.Transition{Stages: test.new}
			m, ok := Translate(recorded(e), Profile752255250(), &Channel{})
			require.Equal(t, test.want != "", ok)
			require.Equal(t, test.want, m.Type)
			require.Equal(t, test.otherwise, m.Otherwise)
			require.Equal(t, test.hold, m.Hold)
			require.Equal(t, test.stages, stageNames(m.Stages))
			require.Equal(t, test.reached, stageNames(m.Reached))
			if ok {
				require.Equal(t, test.want, decodeBody(t, m.Body).EventType)
				require.Equal(t, MessageID(42, 0, 7), m.ID)
				require.Equal(t, "s1", m.ShipmentID)
				require.Equal(t, sampleTime, m.At)
			}
		})
	}
}

func TestTranslateOtherEvents(t *testing.T) {
	t.Parallel()
	translated := map[string]bool{
		events.TypeShipmentCreated: true, events.TypeItemsCancelled: true,
		events.TypeShipmentHeld: true, events.TypeShipmentReleased: true,
	}
	bodies := (&ledgerv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	require.Equal(t, len(events.Types()), bodies.Len())
	for i := range bodies.Len() {
		e := &ledgerv1.Event{After: twoItems(nil), Transition: &ledgerv1.Transition{}}
		e.ProtoReflect().Mutable(bodies.Get(i))
		_, ok := Translate(recorded(e), Profile752255250(), &Channel{})
		require.Equal(t, translated[events.TypeOf(e)], ok, events.TypeOf(e))
	}
}

func TestRetype(t *testing.T) {
	t.Parallel()
	e := &ledgerv1.Event{
		// A string that looks like the field must not be changed.
		After: twoItems(func(s *ledgerv1.Shipment) { s.OrderId = `"eventType":"SUBORDER_COMPLETE"` }),
		Body:  &ledgerv1.Event_ItemsCancelled{}, Transition: &ledgerv1.Transition{Stages: stages(stageShipped)},
	}
	m, ok := Translate(recorded(e), Profile752255250(), &Channel{})
	require.True(t, ok)
	e.Transition.Stages = nil
	partial, ok := Translate(recorded(e), Profile752255250(), &Channel{})
	require.True(t, ok)
	require.Equal(t, string(partial.Body), string(Retype(m.Body, m.Type, m.Otherwise)))
}

func TestMessageID(t *testing.T) {
	t.Parallel()
	require.Equal(t, int64(1376263), MessageID(42, 0, 7))
	last := int64(0)
	for _, seq := range []uint64{1, 2, 3, 1000, 1<<38 - 1} {
		for k := range int32(maxProfiles) {
			id := MessageID(seq, k, maxLanes-1)
			require.Greater(t, id, last)
			require.Equal(t, id, int64(float64(id)))
			last = id
		}
	}
	require.Less(t, last, int64(1)<<53)
}

func TestTranslateUnknownFields(t *testing.T) {
	t.Parallel()
	s := twoItems(func(s *ledgerv1.Shipment) {
		s.LocationId, s.DispatchBy, s.OrderId = "", nil, ""
		s.Items[0].Details = &ledgerv1.ItemDetails{ListingId: "LST"}
		s.Items[1].Details = nil
	})

	m, ok := Translate(recorded(created(s)), Profile752255250(), &Channel{})
	require.True(t, ok)
	body := decodeBody(t, m.Body)
	require.Nil(t, body.LocationCode)
	require.Nil(t, body.ParentOrderCode)
	require.Nil(t, body.RequiredBy)
	require.Equal(t, "2020-10-16T20:22:28Z[UTC]", body.OrderTime)
	require.Equal(t, "2020-10-16T20:22:28Z[UTC]", body.StartProcessingTime)
	require.Equal(t, "NCOD", body.PaymentMethod)
	require.Equal(t, "LST", *body.OrderItems[0].ChannelSkuCode)
	require.Nil(t, body.OrderItems[1].ChannelSkuCode)
	require.Equal(t, []string{"payment_unknown", "required_by_unknown", "sku_unknown"}, m.Notes.Names())

	m, _ = Translate(recorded(created(s)), Profile752255250(), &Channel{
		LocationID: "L9", Name: "mine", RequiredWithin: 36 * time.Hour,
	})
	body = decodeBody(t, m.Body)
	require.Equal(t, "L9", *body.LocationCode)
	require.Equal(t, "L9", m.LocationCode)
	require.Equal(t, "mine", m.ChannelName)
	require.Equal(t, "2020-10-18T08:22:28Z[UTC]", *body.RequiredBy)
	require.NotContains(t, m.Notes.Names(), "required_by_unknown")
}

func TestTranslatePriorityAndPayment(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *ledgerv1.Shipment){
		"type":           func(s *ledgerv1.Shipment) { s.Details.ShipmentType = "EXPRESS" },
		"tier":           func(s *ledgerv1.Shipment) { s.Details.DispatchServiceTier = "EXPRESS" },
		"tier of a line": func(s *ledgerv1.Shipment) { s.Items[1].Details.DispatchServiceTier = "EXPRESS" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := twoItems(change)
			s.Items[1].Details.PaymentType = "COD"
			m, _ := Translate(recorded(created(s)), Profile752255250(), &Channel{})
			body := decodeBody(t, m.Body)
			require.True(t, body.IsPriority)
			require.Equal(t, "COD", body.PaymentMethod)
		})
	}
}

// body holds the fields of a message that tests read; a pointer shows whether the field is null.
type body struct {
	LocationCode, ParentOrderCode, RequiredBy                                        *string
	OrderTime, StartProcessingTime, PaymentMethod, EventType, ChannelName, OrderCode string
	IsPriority, OnHold                                                               bool
	MessageID                                                                        int64
	OrderItems, SubOrderItems                                                        []bodyLine
}

type bodyLine struct {
	OrderItemCodes, ExternalItemCodes                                                       []string
	ClientSkuID, ChannelSkuCode, Barcode                                                    *string
	OrderedQuantity, CancelledQuantity                                                      int64
	CustomerCancelledQty, SellerCancelledQty, FulfilledQuantity                             *int64
	ChannelDiscount, SellingPricePerUnit, GiftChargePerUnit, SellerDiscount, ShippingCharge *json.Number
	IsVirtual                                                                               bool
	OrderItemCustomAttributes                                                               json.RawMessage
}

// decodeBody accepts both *testing.T and *rapid.T.
func decodeBody(t interface {
	require.TestingT
	Helper()
}, raw []byte,
) body {
	t.Helper()
	var b body
	require.NoError(t, json.Unmarshal(raw, &b))
	require.Equal(t, b.OrderItems, b.SubOrderItems)
	return b
}
