package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// The states that the goods pass in each flow, in rank order. FORM_FAILED is a detour on the way to PACKED.
//
//nolint:gochecknoglobals // Go has no constants of this type.
var (
	standardLine = []ledgerv1.Status{approved, packing, packed, ready, pickedUp, shipped, delivered, completed}
	selfShipLine = []ledgerv1.Status{approved, shipped, delivered, completed}
)

// lineOf returns the states of a flow. A shipment without a flow is a standard one.
func lineOf(f ledgerv1.Fulfilment) []ledgerv1.Status {
	if f == ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP {
		return selfShipLine
	}
	return standardLine
}

// timeOf returns the field that holds the time of a step.
func timeOf(t *ledgerv1.Times, step ledgerv1.Status) **ledgerv1.Moment {
	switch step {
	case packing:
		return &t.LabelsRequested
	case packed:
		return &t.Packed
	case ready:
		return &t.Ready
	case pickedUp:
		return &t.PickedUp
	case shipped:
		return &t.Shipped
	case delivered:
		return &t.Delivered
	case completed:
		return &t.ItemCompleted // Items complete one by one; finish derives the time of the shipment.
	case formFailed:
		return &t.FormFailed
	case cancelled:
		return &t.Cancelled
	default:
		return &t.Created
	}
}

// fills reports whether a moment improves on what is known of a step: its time is unknown, or it was inferred or
// assumed and the moment is reported.
func fills(known, m *ledgerv1.Moment) bool {
	if known == nil {
		return true
	}
	return known.GetCertainty() != reportedCertainty && m.GetCertainty() == reportedCertainty
}

// betters is fills for a step of a return, whose time may be inferred twice: from the step after it, and by a pull.
// Both are the latest that the step can have been, so the earlier says more.
func betters(known, m *ledgerv1.Moment) bool {
	return fills(known, m) ||
		known.GetCertainty() == inferred && m.GetCertainty() == inferred && before(m.GetAt(), known.GetAt())
}

// reachTime notes that a step was reached. Steps before it that nobody reported cannot have been later: their inferred
// time is the earliest time reported for any step after them, so that the order of arrival leaves no trace.
func (d *draft) reachTime(step ledgerv1.Status, m *ledgerv1.Moment, moved bool) {
	t := d.ownTimes()
	at := timeOf(t, step)
	// Items of one shipment can reach a step at different times; the step's time is that of the last item.
	if fills(*at, m) || moved && m.GetCertainty() == reportedCertainty && before((*at).GetAt(), m.GetAt()) {
		*at = m
	}
	var guess *ledgerv1.Moment
	for _, s := range lineOf(d.Fulfilment) {
		if s == approved {
			continue
		}
		if rank(s) >= rank(step) {
			return
		}
		p := timeOf(t, s)
		if *p == nil || (*p).GetCertainty() == inferred && before(m.GetAt(), (*p).GetAt()) {
			if guess == nil {
				guess = withCertainty(m, inferred)
			}
			*p = guess
		}
	}
}

// passed lists the states between two ranks, which nobody reported; with means that the last one is among them.
func passed(f ledgerv1.Fulfilment, from, last int, with bool) []ledgerv1.Status {
	var out []ledgerv1.Status
	for _, s := range lineOf(f) {
		if r := rank(s); r > from && (r < last || with && r == last) {
			out = append(out, s)
		}
	}
	return out
}
