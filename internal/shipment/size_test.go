package shipment

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// longID returns an id of the greatest length.
func longID(i int) string { return fmt.Sprintf("%0256d", i) }

// largest is a creation as large as a body of 1 MiB can make it: most of it ids and titles.
func largest(units uint32) Created {
	c := created(1)
	c.Items = nil
	for i := range maxItems {
		c.Items = append(c.Items, CreatedItem{
			OrderItemID: longID(i), CancellationGroupID: longID(i), Quantity: units,
			Details: &ledgerv1.ItemDetails{Title: strings.Repeat("x", 460), OrderDate: ts(hour(-2))},
		})
	}
	return c
}

func (st *story) eventsFit() {
	st.t.Helper()
	for _, e := range st.last.Events {
		require.LessOrEqual(st.t, e.SizeVT(), MaxEventBytes, "%s", e.GetTransition())
	}
}

// Facts of the marketplace about the largest shipment are recorded, whatever texts they carry.
func TestLargestShipment(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("y", 700) // A notification of 1 MiB has room for this on 1,000 lines with the longest ids.
	all := func(f func(i int)) {
		for i := range maxItems {
			f(i)
		}
	}
	returned := func(id string, hours float64) ReturnReported {
		f := ReturnReported{Fact: at(hours), ReturnID: id + longID(0)[len(id):]}
		all(func(i int) {
			f.Lines = append(f.Lines, ReturnLine{Quantity: 1, Return: &ledgerv1.Return{
				OrderItemId: longID(i), Source: fromCustomer, Comments: text, Reason: "order_cancelled",
			}})
		})
		return f
	}
	st := newStory(t)
	must := func(in Input, bodies ...string) {
		t.Helper()
		st.does(in, applied, bodies...)
		st.eventsFit()
	}
	must(largest(4), "ShipmentCreated")
	require.Empty(t, st.last.LeftOut)
	hold := Hold{Fact: at(1)}
	all(func(i int) { hold.Items = append(hold.Items, &ledgerv1.ItemUnits{OrderItemId: longID(i), Units: 1}) })
	must(hold, "ShipmentHeld")
	must(Unhold{Fact: at(2)}, "ShipmentReleased")
	for k := range 2 {
		cancel := Cancelled{Fact: at(3 + float64(k))}
		all(func(i int) {
			cancel.Items = append(cancel.Items, CancelledItem{OrderItemID: longID(i), Quantity: 1, Reason: "r", SubReason: text})
		})
		must(cancel, "ItemsCancelled")
	}
	must(seen(shipped, 5), "ShipmentShipped")
	for k := range 2 {
		r := returned(fmt.Sprint("R", k), 6+float64(k))
		must(r, "ReturnCreated")
		must(ReturnReached{at(8 + float64(k)), r.ReturnID, rmaCompleted, nil}, "ReturnCompleted")
	}
	tracked := ReturnTracked{Fact: at(10), ReturnID: returned("R1", 0).ReturnID}
	all(func(i int) {
		tracked.Lines = append(tracked.Lines, &ledgerv1.ReturnTracking{
			OrderItemId: longID(i), TrackingId: text, CourierName: text,
		})
	})
	must(tracked, "ReturnTrackingUpdated")
	require.Equal(t, ReasonLeftOut, st.last.Reason, "its texts are shortened")
	require.Equal(t, brief(text), st.s.Returns[0].Comments)
	must(seen(delivered, 12), "ShipmentDelivered")
}

func TestCreationBeyondLimit(t *testing.T) {
	t.Parallel()
	t.Run("leaves the extensions out", func(t *testing.T) {
		t.Parallel()
		c := largest(1)
		c.Details = &ledgerv1.ShipmentDetails{PackagingPolicy: "P", ExtensionsJson: `"` + strings.Repeat("x", 400_000) + `"`}
		st := newStory(t)
		st.does(c, applied, "ShipmentCreated")
		require.Equal(t, ReasonLeftOut, st.last.Reason)
		require.Len(t, st.last.LeftOut, 1)
		require.Empty(t, st.s.Details.ExtensionsJson)
		require.Equal(t, "P", st.s.Details.PackagingPolicy)
		require.NotEmpty(t, c.Details.ExtensionsJson, "the input is unchanged")
	})
	t.Run("is quarantined without them", func(t *testing.T) {
		t.Parallel()
		c := created(1)
		c.Items[0].Details.Title = strings.Repeat("x", 1<<21)
		st := newStory(t)
		st.does(c, quarantined)
		require.Equal(t, ReasonTooLarge, st.last.Reason)
	})
}

// What describes a shipment leaves room for facts; a command is refused before it takes that room.
func TestDescriptionBeyondLimit(t *testing.T) {
	t.Parallel()
	c := largest(1)
	st := given(t, c)
	c.At = hour(0)
	for i := range 400 {
		c.Forms = append(c.Forms, &ledgerv1.Form{Name: fmt.Sprintf("%01000d", i)})
	}
	st.does(c, quarantined)
	require.Equal(t, ReasonTooLarge, st.last.Reason)
	failed := FormsFailed{Fact: at(1)}
	for i := range 1000 {
		failed.Forms = append(failed.Forms, fmt.Sprintf("%02000d", i))
	}
	st.does(failed, quarantined)
	require.Equal(t, ReasonTooLarge, st.last.Reason)
	st.does(cancelFact(2, "r", lineOfUnits(longID(1), 1)), applied, "ItemsCancelled")
}

// Nothing else has no end, so returns stop early enough to leave room for what happens to those that are recorded.
func TestReturnsLeaveRoom(t *testing.T) {
	t.Parallel()
	c := Context{Now: hour(21), Policy: Policy{Own: true}}
	decide := func(s *State, in Input) Decision { return Decide(s, in, c) }
	full := func(limit int) *State {
		s := decide(decide(nil, largest(1000)).State, reach(shipped, 1)).State.CloneVT()
		line := &ledgerv1.Return{
			OrderItemId: longID(0), Source: fromCustomer, Units: 1, Status: rmaCreated, Created: reported(hour(2)),
		}
		for size, n := s.SizeVT(), 0; size < limit-8192; n++ {
			r := line.CloneVT()
			r.ReturnId = longID(n)
			s.Returns = append(s.Returns, r)
			size += r.SizeVT() + 3
		}
		return s
	}
	more := returnReported("R-1", fromCustomer, 3, longID(1), 1)

	s := full(maxReturnedBytes)
	d := decide(s, more)
	require.Equal(t, applied, d.Outcome, "%s", d.Message)
	all := Cancelled{Fact: at(4)}
	for i := range maxItems {
		all.Items = append(all.Items, CancelledItem{OrderItemID: longID(i), Quantity: 1, Reason: "r"})
	}
	for _, f := range []Input{
		ReturnReached{at(5), "R-1", rmaCompleted, nil}, all, reach(delivered, 6), Hold{Fact: at(7)}, Unhold{at(8), approved},
	} {
		d = decide(d.State, f)
		require.Equal(t, applied, d.Outcome, "%T: %s", f, d.Message)
	}

	d = decide(full(MaxEventBytes-64<<10), more)
	require.Equal(t, quarantined, d.Outcome)
	require.Equal(t, ReasonTooLarge, d.Reason)
}

func TestBriefKeepsCharacters(t *testing.T) {
	t.Parallel()
	require.Equal(t, "order_cancelled", brief("order_cancelled"))
	require.Equal(t, strings.Repeat("क", 16), brief(strings.Repeat("क", 100)))
}
