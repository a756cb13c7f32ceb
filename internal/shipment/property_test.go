package shipment

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// anyInput draws plausible inputs: known and unknown ids, right and wrong states, repeated and late times.
func anyInput(t *rapid.T) Input {
	fact := func() Fact { return at(rapid.Float64Range(0, 20).Draw(t, "hours")) }
	when := func() When {
		return When{Time: hour(rapid.Float64Range(-40, 40).Draw(t, "when")), Day: rapid.Bool().Draw(t, "day")}
	}
	item := func() string {
		return rapid.SampledFrom([]string{"item-1", "item-2", "item-3", "item-9"}).Draw(t, "item")
	}
	rma := func() string { return rapid.SampledFrom([]string{"R-1", "R-2"}).Draw(t, "return") }
	visit := func() string { return rapid.SampledFrom([]string{"V-1", "V-2", "V-3", ""}).Draw(t, "service") }
	units := func() int64 { return rapid.Int64Range(1, 3).Draw(t, "units") }
	status := func() ledgerv1.Status { return ledgerv1.Status(rapid.Int32Range(0, 12).Draw(t, "status")) }
	names := func() []string { return rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 2).Draw(t, "forms") }
	switch rapid.IntRange(0, 33).Draw(t, "input") {
	case 0:
		return RequestLabels{}
	case 1:
		return CompletePacking{Revision: rapid.Uint32Range(0, 4).Draw(t, "revision"), Packing: &ledgerv1.Packing{InvoiceNumber: "I"}}
	case 2:
		return FailForms{Revision: rapid.Uint32Range(0, 4).Draw(t, "revision"), Forms: names()}
	case 3:
		return Dispatch{}
	case 4:
		groups := rapid.SliceOfN(rapid.SampledFrom([]string{"grp-item-1", "grp-item-2"}), 0, 2).Draw(t, "groups")
		return Cancel{GroupIDs: groups, Reason: "b2b_order"}
	case 5:
		var forms []*ledgerv1.FormAcknowledgement
		for _, n := range names() {
			forms = append(forms, &ledgerv1.FormAcknowledgement{Name: n, AckNumber: "1"})
		}
		return AcknowledgeForms{Forms: forms}
	case 6:
		return DispatchSelfShip{DispatchedAt: when(), TentativeDelivery: when(), InvoiceLines: invoice("item-1", 3, "item-2", 2, "item-3", 1)}
	case 7:
		return AttemptDelivery{At: when(), NewDue: when()}
	case 8:
		return ConfirmDelivery{At: when()}
	case 9:
		return UpdateTracking{Courier: &ledgerv1.Courier{TrackingId: visit()}, TentativeDelivery: when()}
	case 10:
		return ActivateService{ServiceID: visit(), OrderItemID: item(), DueAt: hour(200)}
	case 11:
		return AttemptService{ServiceID: visit(), At: when(), NewDue: when()}
	case 12:
		return CompleteService{ServiceID: visit(), At: when()}
	case 13:
		return RequestTechVisit{ReturnID: rma(), ServiceID: visit(), DueAt: hour(90)}
	case 14:
		return ApproveReturn{ReturnID: rma()}
	case 15:
		return RejectReturn{ReturnID: rma()}
	case 16:
		return CompleteReturn{ReturnID: rma()}
	case 17:
		return PickUpReturn{ReturnID: rma(), At: when()}
	case 18:
		return AttemptPickup{ReturnID: rma(), At: when(), NewDue: when()}
	case 19:
		return CancelReturn{ReturnID: rma()}
	case 20:
		c := created(3, 2, 1)
		c.Fact, c.LocationID = fact(), location
		c.MarketUpdatedAt = hour(rapid.Float64Range(-2, 2).Draw(t, "updated"))
		c.Hold = rapid.Bool().Draw(t, "hold")
		c.Details = &ledgerv1.ShipmentDetails{PackagingPolicy: visit(), ExtensionsJson: rma()}
		return c
	case 21:
		if rapid.Bool().Draw(t, "all") {
			return Hold{Fact: fact()}
		}
		return Hold{fact(), []*ledgerv1.ItemUnits{{OrderItemId: item(), Units: uint32(units())}}}
	case 22:
		return Unhold{fact(), status()}
	case 23, 24, 25:
		return StatusReached{fact(), status()}
	case 26:
		return DatesChanged{Fact: fact(), DispatchBy: when().Time, DeliverBy: when().Time}
	case 27:
		return Cancelled{fact(), []CancelledItem{
			{OrderItemID: item(), Quantity: units(), Reason: visit()}, {OrderItemID: item(), Quantity: units()},
		}}
	case 28:
		return FormsFailed{fact(), names()}
	case 29:
		source := ledgerv1.ReturnSource(rapid.Int32Range(1, 2).Draw(t, "source"))
		line := ReturnLine{Return: &ledgerv1.Return{OrderItemId: item(), Source: source, Reason: visit()}, Quantity: units()}
		r := ReturnReported{Fact: fact(), ReturnID: rma(), Lines: []ReturnLine{line}}
		if rapid.Bool().Draw(t, "siblings") {
			r.Siblings = Siblings{ShipmentIDs: []string{r.ShipmentID, "another"}, Count: 2}
		}
		if rapid.Bool().Draw(t, "visit") {
			r.Lines[0].TechVisit = &RequestTechVisit{ServiceID: visit(), DueAt: hour(80)}
		}
		return r
	case 30:
		return ReturnTracked{fact(), rma(), []*ledgerv1.ReturnTracking{{OrderItemId: item(), TrackingId: visit()}}}
	case 31:
		return ReturnReached{fact(), rma(), ledgerv1.ReturnStatus(rapid.Int32Range(3, 7).Draw(t, "status")), nil}
	case 32:
		o := Observed{Fact: fact(), Status: status()}
		if rapid.Bool().Draw(t, "some") {
			o.OrderItemIDs = []string{item()}
		}
		o.Services = []ActivateService{{ServiceID: visit(), OrderItemID: item()}}
		return o
	default:
		return Observed{Fact: fact(), Return: &ledgerv1.Return{
			ReturnId: rma(), OrderItemId: item(), Units: uint32(units()), Source: ledgerv1.ReturnSource(rapid.Int32Range(1, 2).Draw(t, "source")),
			Status: ledgerv1.ReturnStatus(rapid.Int32Range(0, 7).Draw(t, "status")), Reason: visit(),
		}, Details: &ledgerv1.ShipmentDetails{Buyer: &ledgerv1.Buyer{FirstName: rma()}}}
	}
}

// Random inputs keep the invariants that story.check asserts.
func TestInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		flow := created(3, 2, 1)
		if rapid.Bool().Draw(t, "self-ship") {
			flow = createdSelf(3, 2, 1)
			flow.Services = []ActivateService{{ServiceID: "V-1", OrderItemID: "item-1", DueAt: hour(100)}}
		}
		st := given(t, flow)
		st.c.Now = hour(21)
		st.c.Policy.AbsoluteCancellations = rapid.Bool().Draw(t, "absolute")
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			in := anyInput(t)
			was := st.s
			d := st.decide(in)
			if terminal(was) && !IsFact(in) {
				require.NotEqual(t, accepted, d.Outcome, "%#v: %s", in, st.bodies())
			}
			switch in.(type) {
			case AttemptDelivery, AttemptService, AttemptPickup:
				continue // Each attempt counts; the journal recognises a repeated call.
			}
			// The same input again, as a retry without a key.
			again := st.decide(in)
			require.Empty(t, again.Events, "%#v changed something the second time: %s", in, st.bodies())
		}
		require.True(t, fold(st.events).EqualVT(st.s), "folding the events gives another state")
	})
}

// terminal reports whether a seller has nothing left to do: all units are cancelled or returned, and no return is open.
func terminal(s *State) bool {
	for _, r := range s.GetReturns() {
		if counts(r) && r.GetStatus() != rmaCompleted {
			return false
		}
	}
	return s.GetStatus() == cancelled || s.GetStatus() == returned
}

// fold rebuilds the state from events as a reader does, from bytes.
func fold(events []*Event) *State {
	var s *State
	for _, e := range events {
		b, err := e.MarshalVT()
		if err != nil {
			panic(err)
		}
		read := &Event{}
		if err := read.UnmarshalVT(b); err != nil {
			panic(err)
		}
		s = Evolve(s, read)
	}
	return s
}

func TestFactsInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		flow := created(3, 2)
		if rapid.Bool().Draw(t, "self-ship") {
			flow = createdSelf(3, 2)
		}
		var facts []Input
		for _, s := range []ledgerv1.Status{packed, ready, pickedUp, shipped, delivered} {
			if rapid.Bool().Draw(t, statusName(s)) {
				facts = append(facts, reach(s, rapid.Float64Range(0, 20).Draw(t, "hours")))
			}
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "dates") {
			facts = append(facts, DatesChanged{Fact: at(float64(3 + i)), DispatchBy: hour(float64(40 + i))})
		}
		left := map[string]int64{"item-1": 3, "item-2": 2}
		for i := range rapid.IntRange(0, 4).Draw(t, "cancellations") {
			id := rapid.SampledFrom([]string{"item-1", "item-2"}).Draw(t, "item")
			n := rapid.Int64Range(1, 3).Draw(t, "units")
			if n > left[id] {
				continue
			}
			left[id] -= n
			// Each has a time of its own: two facts that agree in everything are one.
			facts = append(facts, cancelFact(float64(i)*5+rapid.Float64Range(0, 4).Draw(t, "hours"), "r", lineOfUnits(id, n)))
		}
		inOrder := playAll(t, flow, facts)
		shuffled := playAll(t, flow, rapid.Permutation(facts).Draw(t, "order"))
		// No fact reports completion here: a self-ship item completes with its delivery if it is live when that is decided.
		inOrder.Times.Completed, shuffled.Times.Completed = nil, nil
		inOrder.Times.ItemCompleted, shuffled.Times.ItemCompleted = nil, nil
		require.True(t, inOrder.GetTimes().EqualVT(shuffled.GetTimes()), "%v\n%v", inOrder.GetTimes(), shuffled.GetTimes())
		require.Equal(t, inOrder.GetStatus(), shuffled.GetStatus())
		require.True(t, inOrder.GetDispatchBy().AsTime().Equal(shuffled.GetDispatchBy().AsTime()))
		for i, it := range inOrder.GetItems() {
			require.Equal(t, events.CancelledUnits(it), events.CancelledUnits(shuffled.GetItems()[i]))
		}
	})
}

// playAll decides facts. Some of them arrive before their shipment and wait first.
func playAll(t *rapid.T, flow Created, facts []Input) *State {
	st := newStory(t)
	early := rapid.IntRange(0, len(facts)).Draw(t, "early")
	for _, f := range facts[:early] {
		require.Equal(t, waiting, st.decide(f).Outcome)
	}
	st.decide(flow)
	st.c.Now = hour(21)
	for _, f := range facts {
		st.decide(f)
	}
	return st.s
}

// wild draws absurd values.
func wild(t *rapid.T) Input {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "item-1", "item-2", "R-1", "V-1", ship, string(make([]byte, 300))}), rapid.String())
	s := func() string { return text.Draw(t, "text") }
	n := rapid.OneOf(rapid.SampledFrom([]int64{0, -1, 1, 2, math.MaxInt64, math.MinInt64, math.MaxUint32}), rapid.Int64())
	moment := func() time.Time {
		return rapid.SampledFrom([]time.Time{
			{},
			noon(), hour(5), time.Unix(1<<40, 0), time.Unix(-1<<40, 0), time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
			time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Unix(math.MaxInt64, 0), time.Unix(math.MinInt64, 0),
		}).Draw(t, "time")
	}
	when := func() When { return When{moment(), rapid.Bool().Draw(t, "day")} }
	status := func() ledgerv1.Status { return ledgerv1.Status(rapid.Int32Range(-3, 40).Draw(t, "status")) }
	f := Fact{ShipmentID: rapid.SampledFrom([]string{ship, "", "other"}).Draw(t, "ship"), SellerID: rapid.SampledFrom([]string{seller, "", "x"}).Draw(t, "seller"), At: moment()}
	u := func() uint32 { return uint32(n.Draw(t, "units")) }
	switch rapid.IntRange(0, 27).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return (*Created)(nil)
	case 2:
		return RequestLabels{s(), &ledgerv1.PackRequest{
			TaxItems:      []*ledgerv1.TaxItem{nil, {TaxRate: math.Inf(1)}},
			SerialNumbers: []*ledgerv1.SerialNumbers{nil}, Invoices: []*ledgerv1.InvoiceRequest{nil},
		}}
	case 3:
		return CompletePacking{u(), nil}
	case 4:
		return FailForms{u(), []string{s()}}
	case 5:
		return Cancel{s(), []string{s()}, s()}
	case 6:
		return AcknowledgeForms{[]*ledgerv1.FormAcknowledgement{nil}}
	case 7:
		return DispatchSelfShip{
			LocationID: s(), DispatchedAt: when(), TentativeDelivery: when(), InvoiceDate: when(),
			InvoiceLines: []*ledgerv1.InvoiceLine{nil, {OrderItemId: s(), Quantity: u()}},
		}
	case 8:
		return AttemptDelivery{At: when(), NewDue: when()}
	case 9:
		return ConfirmDelivery{At: when()}
	case 10:
		return UpdateTracking{nil, when()}
	case 11:
		return ActivateService{s(), s(), s(), moment()}
	case 12:
		return AttemptService{ServiceID: s(), At: when(), NewDue: when()}
	case 13:
		return RequestTechVisit{s(), s(), s(), s(), moment()}
	case 14:
		return RejectReturn{ReturnID: s(), VisitedAt: when()}
	case 15:
		return AttemptPickup{ReturnID: s(), At: when(), NewDue: when()}
	case 16:
		return CancelReturn{ReturnID: s(), DeliveredAt: when()}
	case 17:
		return Created{
			Fact: f, OrderID: s(), Status: status(), DispatchBy: moment(), Hold: true, Forms: []*ledgerv1.Form{nil, {Name: s()}},
			Items: []CreatedItem{
				{OrderItemID: s(), Quantity: u(), Cancelled: u(), Status: status()},
				{OrderItemID: s(), Quantity: u(), Status: status()},
			},
			Services: []ActivateService{{s(), s(), s(), moment()}},
		}
	case 18:
		return Hold{f, []*ledgerv1.ItemUnits{nil, {OrderItemId: s(), Units: u()}}}
	case 19:
		return Unhold{f, status()}
	case 20:
		return StatusReached{f, status()}
	case 21:
		return DatesChanged{f, moment(), moment(), moment()}
	case 22:
		return Cancelled{f, []CancelledItem{{s(), s(), s(), n.Draw(t, "n")}}}
	case 23:
		return FormsFailed{f, []string{s()}}
	case 24:
		return ReturnReported{f, s(), []ReturnLine{{}, {Return: &ledgerv1.Return{OrderItemId: s(), Source: 9}, Quantity: n.Draw(t, "n"), TechVisit: &RequestTechVisit{}}}, Siblings{[]string{s(), f.ShipmentID}, 7}}
	case 25:
		return ReturnExpected{f, s(), []*ledgerv1.ReturnExpectedDate{nil, {OrderItemId: s()}}}
	case 26:
		return ReturnReached{f, s(), ledgerv1.ReturnStatus(rapid.Int32Range(-3, 40).Draw(t, "status")), []string{s()}}
	default:
		return Observed{
			Fact: f, Status: status(), OrderItemIDs: []string{s()},
			Items:    []*ledgerv1.ItemPatch{nil, {OrderItemId: s(), CancellationReason: s()}},
			Return:   &ledgerv1.Return{ReturnId: s(), OrderItemId: s(), Units: u(), Status: ledgerv1.ReturnStatus(rapid.Int32Range(-3, 40).Draw(t, "rs"))},
			Services: []ActivateService{{s(), s(), s(), moment()}}, TechVisits: []RequestTechVisit{{}},
		}
	}
}

// wildStory mixes absurd inputs with plausible ones.
func wildStory(t *rapid.T) {
	st := newStory(t)
	st.c.Now = hour(21)
	if rapid.Bool().Draw(t, "begun") {
		st.decide(createdSelf(2, 1))
	}
	for range rapid.IntRange(1, 12).Draw(t, "steps") {
		var in Input
		if rapid.Bool().Draw(t, "sensible") {
			in = anyInput(t)
		} else {
			in = wild(t)
		}
		st.decide(in)
	}
}

func TestDecideNeverPanics(t *testing.T) {
	t.Parallel()
	rapid.Check(t, wildStory)
}

func FuzzDecide(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(wildStory))
}

func TestEvolveNeverPanics(t *testing.T) {
	t.Parallel()
	require.Nil(t, Evolve(nil, nil))
	require.NotNil(t, Evolve(nil, &Event{}))
	s := Decide(nil, created(1), newStory(t).c).State
	require.Same(t, s, Evolve(s, nil))
	e := &Event{}
	oneof := e.ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	for i := range oneof.Len() {
		field := oneof.Get(i)
		t.Run(fmt.Sprint(field.Name()), func(t *testing.T) {
			t.Parallel()
			e := &Event{}
			e.ProtoReflect().Set(field, e.ProtoReflect().NewField(field))
			require.NotPanics(t, func() { Evolve(s, e); Evolve(&State{}, e); Evolve(nil, e) })
		})
	}
}
