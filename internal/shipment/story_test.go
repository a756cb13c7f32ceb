package shipment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// noon is when each story begins: in the middle of a day both in UTC and in IST.
func noon() time.Time { return time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC) }

const (
	ship     = "ship-1"
	seller   = "seller-1"
	location = "LOC1"
)

// T is implemented by testing.T and rapid.T.
type T interface {
	require.TestingT
	Helper()
}

// story decides inputs one after the other, and after each checks the invariants.
type story struct {
	t      T
	s      *State
	c      Context
	events []*Event
	last   Decision
}

func newStory(t T) *story {
	return &story{t: t, c: Context{
		Now: noon(), SellerID: seller,
		Policy: Policy{Own: true, PackWithin: 30 * time.Minute, ReversePickupWithin: 7 * 24 * time.Hour},
	}}
}

// given begins a story with inputs that must all be applied or accepted.
func given(t T, inputs ...Input) *story {
	st := newStory(t)
	for _, in := range inputs {
		d := st.decide(in)
		require.Contains(t, []ledgerv1.Outcome{applied, accepted}, d.Outcome, "%s: %s %s", TypeOf(in), d.Reason, d.Message)
	}
	return st
}

const (
	applied     = ledgerv1.Outcome_OUTCOME_APPLIED
	accepted    = ledgerv1.Outcome_OUTCOME_ACCEPTED
	rejected    = ledgerv1.Outcome_OUTCOME_REJECTED
	duplicate   = ledgerv1.Outcome_OUTCOME_DUPLICATE
	waiting     = ledgerv1.Outcome_OUTCOME_WAITING
	quarantined = ledgerv1.Outcome_OUTCOME_QUARANTINED
	staleFact   = ledgerv1.Outcome_OUTCOME_STALE
)

// decide decides an input, one minute after the one before.
func (st *story) decide(in Input) Decision {
	st.t.Helper()
	st.c.Now = st.c.Now.Add(time.Minute)
	prior := st.s
	frozen := prior.CloneVT()
	d := Decide(st.s, in, st.c)
	require.True(st.t, prior.EqualVT(frozen), "the state before was changed")
	st.check(prior, d)
	st.s, st.last = d.State, d
	st.events = append(st.events, d.Events...)
	return d
}

// check asserts the invariants of every decision.
func (st *story) check(prior *State, d Decision) {
	st.t.Helper()
	require.NotEqual(st.t, ledgerv1.Outcome_OUTCOME_UNSPECIFIED, d.Outcome)
	if len(d.Events) == 0 {
		require.Same(st.t, prior, d.State)
		require.NotContains(st.t, []ledgerv1.Outcome{applied, accepted}, d.Outcome)
		require.NotEmpty(st.t, d.Reason)
		require.NotEmpty(st.t, d.Message)
		return
	}
	if d.Outcome == duplicate {
		// An echo cancels nothing, but can give the reason of an earlier cancellation.
		require.Len(st.t, d.Events, 1)
		require.NotNil(st.t, d.Events[0].GetPropertiesUpdated())
		require.Equal(st.t, ReasonNothingLeft, d.Reason)
	} else {
		require.Contains(st.t, []ledgerv1.Outcome{applied, accepted}, d.Outcome)
	}
	before := prior
	for _, e := range d.Events {
		require.NotNil(st.t, e.GetBody())
		require.Equal(st.t, before.GetVersion()+1, e.GetAfter().GetVersion())
		require.True(st.t, Evolve(before, e).EqualVT(e.GetAfter()), "%T does not follow", e.GetBody())
		require.True(st.t, Evolve(reread(st.t, before), rereadEvent(st.t, e)).EqualVT(e.GetAfter()), "%T does not follow after a round trip", e.GetBody())
		require.Equal(st.t, before.GetStatus(), e.GetTransition().GetFrom())
		require.Equal(st.t, e.GetAfter().GetStatus(), e.GetTransition().GetTo())
		if before.GetUpdatedAt() != nil && st.c.UpdatedAt.IsZero() {
			require.False(st.t, e.GetAfter().GetUpdatedAt().AsTime().Before(before.GetUpdatedAt().AsTime()))
		}
		checkUnits(st.t, e.GetAfter())
		checkForward(st.t, before, e)
		before = e.GetAfter()
	}
	require.Same(st.t, before, d.State)
}

func reread(t T, s *State) *State {
	if s == nil {
		return nil
	}
	b, err := s.MarshalVT()
	require.NoError(t, err)
	out := &State{}
	require.NoError(t, out.UnmarshalVT(b))
	return out
}

func rereadEvent(t T, e *Event) *Event {
	b, err := e.MarshalVT()
	require.NoError(t, err)
	out := &Event{}
	require.NoError(t, out.UnmarshalVT(b))
	return out
}

// checkUnits asserts that units are conserved.
func checkUnits(t T, s *State) {
	anyHeld := false
	for _, it := range s.GetItems() {
		require.LessOrEqual(t, uint64(it.GetHeld())+uint64(events.CancelledUnits(it)), uint64(it.GetOrdered()))
		require.LessOrEqual(t, it.GetDelivered(), it.GetShipped())
		require.LessOrEqual(t, it.GetShipped(), it.GetOrdered())
		if rank(it.GetForward()) >= rank(shipped) {
			require.GreaterOrEqual(t, it.GetShipped(), live(it))
		}
		var listed, revived, onTheWay, atHome uint32
		for _, c := range it.GetCancellations() {
			listed += c.GetUnits()
			revived += c.GetRevived()
			require.LessOrEqual(t, c.GetRevived(), c.GetUnits())
			switch {
			case c.GetAfterDelivered():
				atHome += c.GetUnits() - c.GetRevived()
			case c.GetAfterShipped():
				onTheWay += c.GetUnits() - c.GetRevived()
			}
		}
		require.Equal(t, events.CancelledUnits(it), listed-revived)
		require.GreaterOrEqual(t, it.GetShipped(), onTheWay+atHome, "units on their way have left")
		// What goes back: the courier brings units that were cancelled on the way first, then live ones.
		var back uint64
		for _, r := range s.GetReturns() {
			if r.GetOrderItemId() == it.GetOrderItemId() && r.GetSource() == fromCourier && counts(r) {
				back += uint64(r.GetUnits())
			}
		}
		back = min(back-min(back, uint64(onTheWay)), uint64(live(it)))
		want := uint64(0)
		if rank(it.GetForward()) >= rank(delivered) {
			want = uint64(live(it)) - back + uint64(atHome)
		}
		require.EqualValues(t, want, it.GetDelivered(), "delivered units are those that neither go back nor were cancelled before")
		anyHeld = anyHeld || it.GetHeld() > 0
	}
	require.Equal(t, anyHeld, s.GetOnHold())
}

// checkForward asserts that no item moves back, and that a late fact moves none.
func checkForward(t T, before *State, e *Event) {
	for i, was := range before.GetItems() {
		is := e.GetAfter().GetItems()[i]
		require.GreaterOrEqual(t, rank(is.GetForward()), rank(was.GetForward()))
		if e.GetTransition().GetLate() {
			require.Equal(t, was.GetForward(), is.GetForward())
			require.Equal(t, was.GetStatus(), is.GetStatus())
		}
	}
	require.GreaterOrEqual(t, len(e.GetAfter().GetStages()), len(before.GetStages()))
}

// bodies names the events of the last decision.
func (st *story) bodies() []string {
	var out []string
	for _, e := range st.last.Events {
		out = append(out, string(e.ProtoReflect().WhichOneof(e.ProtoReflect().Descriptor().Oneofs().ByName("body")).Message().Name()))
	}
	return out
}

func (st *story) clock(kind ledgerv1.ClockKind) *ledgerv1.Clock {
	for _, c := range st.s.GetClocks() {
		if c.GetKind() == kind {
			return c
		}
	}
	return nil
}

// at returns the common fields of a fact about the shipment, hours after noon.
func at(hours float64) Fact {
	return Fact{ShipmentID: ship, SellerID: seller, At: hour(hours), Source: "flipkart"}
}

func hour(h float64) time.Time { return noon().Add(time.Duration(h * float64(time.Hour))) }

func ts(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }

// created is a shipment of the standard flow: an item for each quantity.
func created(units ...uint32) Created {
	c := Created{
		Fact: at(-1), OrderID: "OD1", ShipmentType: "NORMAL", DispatchBy: hour(24), DeliverBy: hour(96), MarketUpdatedAt: hour(-1),
		Details: &ledgerv1.ShipmentDetails{PackagingPolicy: "DEFAULT"},
	}
	c.LocationID = location
	for i, n := range units {
		id := "item-" + string(rune('1'+i))
		c.Items = append(c.Items, CreatedItem{
			OrderItemID: id, CancellationGroupID: "grp-" + id, Quantity: n,
			Details: &ledgerv1.ItemDetails{Sku: "sku-" + id, OrderDate: ts(hour(-2))},
		})
	}
	return c
}

// createdSelf is a shipment of the self-ship flow.
func createdSelf(units ...uint32) Created {
	c := created(units...)
	c.ShipmentType = "SELF"
	return c
}

func reach(s ledgerv1.Status, hours float64) StatusReached { return StatusReached{at(hours), s} }

func seen(s ledgerv1.Status, hours float64) Observed { return Observed{Fact: at(hours), Status: s} }

func cancelFact(hours float64, reason string, lines ...CancelledItem) Cancelled {
	for i := range lines {
		lines[i].Reason = reason
	}
	return Cancelled{at(hours), lines}
}

func lineOfUnits(id string, n int64) CancelledItem {
	return CancelledItem{OrderItemID: id, Quantity: n}
}

func returnReported(id string, source ledgerv1.ReturnSource, hours float64, item string, n int64) ReturnReported {
	line := ReturnLine{Return: &ledgerv1.Return{OrderItemId: item, Source: source}, Quantity: n}
	return ReturnReported{Fact: at(hours), ReturnID: id, Lines: []ReturnLine{line}}
}

func invoice(items ...any) []*ledgerv1.InvoiceLine {
	var out []*ledgerv1.InvoiceLine
	for i := 0; i < len(items); i += 2 {
		out = append(out, &ledgerv1.InvoiceLine{OrderItemId: items[i].(string), Quantity: uint32(items[i+1].(int))})
	}
	return out
}

func (st *story) item(id string) *ledgerv1.Item {
	return st.s.GetItems()[indexOf(st.s.GetItems(), id)]
}

var _ T = (*testing.T)(nil)
