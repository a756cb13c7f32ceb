package shipment

import (
	"cmp"
	"slices"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// describe fills in the transition of an event from the states before and after it. The decision has already set the
// marks that do not follow from them.
func describe(e *Event, prior, after *State) {
	t := e.Transition
	t.From, t.To = prior.GetStatus(), after.GetStatus()
	if n := len(prior.GetStages()); len(after.GetStages()) > n {
		t.Stages = after.GetStages()[n:]
	}
	// Drafts copy the list of items when the first one changes: the same list means that none has.
	if len(prior.GetItems()) == 0 || len(after.GetItems()) == 0 || &prior.Items[0] == &after.Items[0] {
		return
	}
	// A return reports that the goods had left, but names no state. So SHIPPED itself is among the skipped states.
	_, withLast := e.GetBody().(*ledgerv1.Event_ReturnCreated)
	for i, it := range after.GetItems() {
		if i >= len(prior.GetItems()) || prior.Items[i] == it { // The draft did not touch it.
			continue
		}
		was := prior.Items[i]
		from, to := rank(was.GetForward()), rank(it.GetForward())
		if to > from+1 || withLast && to > from {
			t.Skipped = union(t.GetSkipped(), passed(after.GetFulfilment(), from, to, withLast))
		}
		n, m := live(was), live(it)
		if n == m && was.GetStatus() == it.GetStatus() {
			continue
		}
		if t.Items == nil {
			// One allocation for both: most events move one item.
			b := &struct {
				list [1]*ledgerv1.ItemTransition
				one  ledgerv1.ItemTransition
			}{}
			b.list[0], t.Items = &b.one, b.list[:]
		} else {
			t.Items = append(t.Items, &ledgerv1.ItemTransition{})
		}
		one := t.Items[len(t.Items)-1]
		one.OrderItemId, one.From, one.To = it.GetOrderItemId(), was.GetStatus(), it.GetStatus()
		one.LiveBefore, one.LiveAfter = n, m
	}
}

// union adds states to a list in rank order.
func union(list, more []ledgerv1.Status) []ledgerv1.Status {
	if len(list) == 0 {
		return more
	}
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b ledgerv1.Status) int { return cmp.Compare(rank(a), rank(b)) })
	return list
}
