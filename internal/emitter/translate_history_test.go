package emitter

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// history holds the messages of one shipment that a receiver has got, and checks each new one.
type history struct {
	t        *rapid.T
	state    *ledgerv1.Shipment
	messages []Message
	complete map[ledgerv1.Stage]bool // Stages that a COMPLETE has listed.
	revived  bool                    // Cancelled units were revived.
	laneSeq  uint64
	now      time.Time
	// fulfilled holds the items of which a message had a fulfilledQuantity above 0.
	fulfilled map[string]bool
}

// volatile matches the parts of a body that describe the message and not the suborder, and the one quantity that can
// change without a message: an event that ships one of several items makes none.
var volatile = regexp.MustCompile(`"(messageId":\d+|eventType":"\w+"|fulfilledQuantity":\d+,)`)

func TestTranslateHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := &history{
			t: t, complete: map[ledgerv1.Stage]bool{}, fulfilled: map[string]bool{},
			laneSeq: rapid.Uint64Range(0, 1<<30).Draw(t, "laneseq"), now: sampleTime,
		}
		policy := shipment.Policy{
			Own: rapid.Bool().Draw(t, "own"), PackWithin: time.Hour,
			Fulfilment: rapid.SampledFrom([]ledgerv1.Fulfilment{
				ledgerv1.Fulfilment_FULFILMENT_STANDARD, ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP,
			}).Draw(t, "fulfilment"),
			CancelledBy: map[string]ledgerv1.CancelledBy{
				"seller_cancellation": ledgerv1.CancelledBy_CANCELLED_BY_SELLER,
				"buyer_cancellation":  ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER,
			},
		}
		for _, in := range drawInputs(t) {
			h.now = h.now.Add(time.Minute)
			d := shipment.Decide(h.state, in, shipment.Context{Now: h.now, SellerID: "seller-1", Policy: policy})
			for _, e := range d.Events {
				h.add(e)
			}
		}
	})
}

// add translates the next event and checks the messages so far.
func (h *history) add(e *ledgerv1.Event) {
	h.laneSeq++
	h.state = e.GetAfter()
	h.revived = h.revived || len(e.GetReturnCancelled().GetRevived()) > 0 || len(e.GetReturnCreated().GetRevived()) > 0
	m, ok := Translate(h.recorded(e), Profile752255250(), &Channel{})
	if ok {
		h.check(e, m)
		h.messages = append(h.messages, m)
	}
	require.NotEmpty(h.t, h.messages, "the first event makes a CREATE")
	if h.has(SuborderCancel) || liveUnits(h.state) == 0 || wasCancelled(h.state) {
		return // There may be no more messages.
	}
	for _, stage := range h.state.GetStages() {
		require.True(h.t, h.complete[stage], "%s was reached by %s without a COMPLETE", stage, events.TypeOf(e))
	}
	if h.revived {
		return
	}
	// The latest message describes the whole suborder.
	whole := h.recorded(&ledgerv1.Event{After: h.state, Body: &ledgerv1.Event_ShipmentCreated{}})
	now, _ := Translate(whole, Profile752255250(), &Channel{})
	require.Equal(h.t, volatile.ReplaceAllString(string(now.Body), ""), volatile.ReplaceAllString(string(h.messages[len(h.messages)-1].Body), ""),
		"%s changed the body and made no message", events.TypeOf(e))
}

func (h *history) check(e *ledgerv1.Event, m Message) {
	t := h.t
	body := decodeBody(t, m.Body)
	require.Equal(t, m.Type == SuborderCreate, len(h.messages) == 0, "the first message is the only CREATE")
	if n := len(h.messages); n > 0 {
		require.Greater(t, m.ID, h.messages[n-1].ID)
	}
	_, cancelled := e.GetBody().(*ledgerv1.Event_ItemsCancelled)
	if h.has(SuborderCancel) {
		require.True(t, cancelled && h.revived, "only a cancellation of revived units may follow CANCEL")
	}
	if m.Type == SuborderPropertiesUpdate {
		require.False(t, h.has(SuborderCancel), "no PROPERTIES_UPDATE after CANCEL")
		for _, stage := range []ledgerv1.Stage{stageShipped, stageDelivered, stageCompleted} {
			require.Equal(t, h.complete[stage], slices.Contains(m.Reached, stage),
				"a PROPERTIES_UPDATE names the stages whose COMPLETE came before")
		}
	}
	require.Equal(t, m.Type == SuborderComplete, len(m.Stages) > 0)
	for _, stage := range m.Stages {
		require.False(t, h.complete[stage], "one COMPLETE per stage")
		h.complete[stage] = true
	}
	live := int64(0)
	for i, l := range body.OrderItems {
		fulfilled := int64(0)
		if l.FulfilledQuantity != nil {
			fulfilled = *l.FulfilledQuantity
		}
		require.False(t, h.fulfilled[l.OrderItemCodes[0]] && l.FulfilledQuantity == nil, "once it was above 0, it is 0, not absent")
		h.fulfilled[l.OrderItemCodes[0]] = h.fulfilled[l.OrderItemCodes[0]] || fulfilled > 0
		require.LessOrEqual(t, l.CancelledQuantity+fulfilled, l.OrderedQuantity)
		require.EqualValues(t, events.CancelledUnits(h.state.GetItems()[i]), l.CancelledQuantity)
		seller := int64(0) // The rule reads null as 0.
		if l.SellerCancelledQty != nil {
			seller = *l.SellerCancelledQty
			require.Positive(t, seller)
		}
		require.EqualValues(t, h.state.GetItems()[i].GetCancelledSeller(), seller)
		require.Equal(t, h.state.GetItems()[i].GetCancelledUnknown() > 0, l.CustomerCancelledQty == nil)
		if l.CustomerCancelledQty != nil {
			require.Equal(t, l.CancelledQuantity, *l.CustomerCancelledQty+seller)
		}
		live += l.OrderedQuantity - l.CancelledQuantity
	}
	require.Equal(t, m.Type == SuborderCancel, cancelled && live == 0)
	require.Zero(t, m.Notes&NoteQuantityBounded, "the aggregate never contradicts itself")
}

func (h *history) has(eventType string) bool {
	return slices.ContainsFunc(h.messages, func(m Message) bool { return m.Type == eventType })
}

func (h *history) recorded(e *ledgerv1.Event) Recorded {
	return Recorded{Lane: 3, Event: e, Envelope: events.Envelope{LaneSeq: h.laneSeq, OccurredAt: h.now}}
}

// drawInputs draws a creation and further inputs in any order.
func drawInputs(t *rapid.T) []shipment.Input {
	fact := func(label string) shipment.Fact {
		return shipment.Fact{
			ShipmentID: "s1", SellerID: "seller-1", LocationID: "L1", Source: "flipkart",
			At: sampleTime.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, label)) * time.Second),
		}
	}
	items := rapid.IntRange(1, 3).Draw(t, "items")
	item := func() string { return []string{"i0", "i1", "i2"}[rapid.IntRange(0, items-1).Draw(t, "item")] }
	first := shipment.Created{Fact: fact("created"), OrderID: "o1", Status: drawStatus(t), Hold: rapid.Bool().Draw(t, "hold")}
	for i := range items {
		ordered := rapid.Uint32Range(1, 3).Draw(t, "ordered")
		first.Items = append(first.Items, shipment.CreatedItem{
			OrderItemID: []string{"i0", "i1", "i2"}[i], Quantity: ordered, Status: first.Status,
			Cancelled: rapid.SampledFrom([]uint32{0, 0, 0, ordered, 1}).Draw(t, "cancelled before"),
			Details:   &ledgerv1.ItemDetails{Sku: "sku", PaymentType: "COD"},
		})
	}
	inputs := []shipment.Input{first}
	for range rapid.IntRange(0, 25).Draw(t, "steps") {
		inputs = append(inputs, drawInput(t, fact("at"), item))
	}
	return inputs
}

func drawInput(t *rapid.T, fact shipment.Fact, item func() string) shipment.Input {
	later := sampleTime.Add(time.Duration(rapid.IntRange(1, 9).Draw(t, "hours")) * time.Hour)
	switch rapid.IntRange(0, 13).Draw(t, "input") {
	case 0:
		return shipment.Hold{Fact: fact, Items: []*ledgerv1.ItemUnits{{OrderItemId: item(), Units: rapid.Uint32Range(0, 3).Draw(t, "held")}}}
	case 1:
		return shipment.Unhold{Fact: fact, Status: drawStatus(t)}
	case 2, 3:
		return shipment.StatusReached{Fact: fact, Status: drawStatus(t)}
	case 4:
		return shipment.DatesChanged{Fact: fact, DispatchBy: later}
	case 5:
		return shipment.DatesChanged{Fact: fact, DispatchAfter: later, DeliverBy: later}
	case 6, 7:
		return shipment.Cancelled{Fact: fact, Items: []shipment.CancelledItem{{
			OrderItemID: item(), Quantity: rapid.Int64Range(1, 3).Draw(t, "units"),
			Reason: rapid.SampledFrom([]string{"", "seller_cancellation", "buyer_cancellation", "else"}).Draw(t, "reason"),
		}}}
	case 8:
		return shipment.Observed{Fact: fact, Details: &ledgerv1.ShipmentDetails{
			DeliveryAddress: &ledgerv1.Address{FirstName: rapid.SampledFrom([]string{"A", "B"}).Draw(t, "name")},
			ShipmentType:    rapid.SampledFrom([]string{"", "EXPRESS"}).Draw(t, "type"),
		}}
	case 9:
		return shipment.Observed{Fact: fact, Items: []*ledgerv1.ItemPatch{{
			OrderItemId: item(), CancellationReason: rapid.SampledFrom([]string{"", "seller_cancellation"}).Draw(t, "reason"),
			Details: &ledgerv1.ItemDetails{
				Sku:            rapid.SampledFrom([]string{"", "sku", "sku2"}).Draw(t, "sku"),
				ExtensionsJson: rapid.SampledFrom([]string{"", `{"barcode":"b"}`}).Draw(t, "extensions"),
				OrderDate:      timestamppb.New(later),
			},
		}}}
	case 10:
		return shipment.Observed{Fact: fact, Status: drawStatus(t), OrderItemIDs: []string{item()}}
	case 11:
		return shipment.ReturnReported{Fact: fact, ReturnID: "r1", Lines: []shipment.ReturnLine{{
			Quantity: rapid.Int64Range(1, 3).Draw(t, "returned"), Return: &ledgerv1.Return{
				ReturnId: "r1", OrderItemId: item(), Source: rapid.SampledFrom([]ledgerv1.ReturnSource{
					ledgerv1.ReturnSource_RETURN_SOURCE_CUSTOMER, ledgerv1.ReturnSource_RETURN_SOURCE_COURIER,
				}).Draw(t, "source"),
			},
		}}}
	case 12:
		return shipment.CancelReturn{LocationID: "L1", ReturnID: "r1"}
	default:
		return shipment.Cancel{LocationID: "L1", Reason: "seller_cancellation"}
	}
}

func drawStatus(t *rapid.T) ledgerv1.Status {
	return rapid.SampledFrom([]ledgerv1.Status{
		ledgerv1.Status_STATUS_APPROVED, ledgerv1.Status_STATUS_PACKED, ledgerv1.Status_STATUS_READY_TO_DISPATCH,
		ledgerv1.Status_STATUS_SHIPPED, ledgerv1.Status_STATUS_DELIVERED, ledgerv1.Status_STATUS_COMPLETED,
	}).Draw(t, "status")
}
