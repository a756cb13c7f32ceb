package shipment

import (
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// The sizes of events. Each event carries the state after it, and Kafka takes records of up to 4 MiB. What the
// marketplace reports about units, states and returns has happened, so the ledger must be able to record it; what
// describes a shipment, and what a seller asks for, must leave room for that:
//
//	described state after shipment_created or a pull    at most 1.25 MiB
//	described state after anything else                 at most 2 MiB
//	whole state, with the texts of cancellations and returns as reported
//	                                                    at most 2.25 MiB; beyond it, their texts are shortened
//	whole state after a new return                      at most 3.12 MiB
//	an event: the state, its transition and its body    at most MaxEventBytes
//
// New returns are the only fact without an end: a line can be returned any number of times. So they stop before the
// record is full, and what is yet to happen to the recorded ones, and to the shipment, still fits.
//
// The described state is the state without cancellations and returns. A body of 1 MiB makes at most 1.1 MiB of it once
// the extensions, which it holds a second time, are left out. The longest transition has 1,000 items with ids of 256
// bytes, and takes 270 KiB. So at least 1.3 MiB are left for shortened cancellations and returns, state and body
// together: a cancellation of one item takes about 30 bytes, a line of a return about 150 with ids of usual length and
// 600 with the longest.
const (
	// MaxEventBytes bounds an encoded event. Keys, headers and the batch around the record need the rest of the 4 MiB.
	MaxEventBytes = 4<<20 - 128<<10

	maxReportedBytes  = 5 << 18
	maxDescribedBytes = 2 << 20
	maxVerboseBytes   = 9 << 18
	maxReturnedBytes  = MaxEventBytes - 768<<10

	// uncheckedBytes is a size of the state below which no event can exceed a limit: transition and body hold no more
	// than the state does.
	uncheckedBytes = 1 << 20
	// maxBrief bounds a text that was shortened. Codes of reasons are shorter, and rules read them.
	maxBrief = 48
)

// fits reports whether the events can be recorded. It sets oversized if not.
func (x *decider) fits(o ledgerv1.Outcome) bool {
	s := x.s
	if !grew(x.d.Events) && len(s.GetItems()) < 64 {
		return true // A large state, but with a short transition: it fitted before, too.
	}
	size := s.SizeVT()
	if size <= uncheckedBytes {
		return true
	}
	if limit := x.describedLimit(); described(s) > limit && described(s) > described(x.d.State) {
		x.oversized = true
		return false
	}
	if size > maxVerboseBytes && !x.brief && o != ledgerv1.Outcome_OUTCOME_ACCEPTED {
		x.oversized = true
		return false
	}
	for _, e := range x.d.Events {
		if e.SizeVT() > MaxEventBytes || size > maxReturnedBytes && e.GetReturnCreated() != nil {
			x.oversized = true
			return false
		}
	}
	return true
}

// describedLimit is lower for inputs that describe the whole shipment.
func (x *decider) describedLimit() int {
	if x.describes {
		return maxReportedBytes
	}
	return maxDescribedBytes
}

// described returns the size of a state without cancellations and returns.
func described(s *State) int {
	if s == nil {
		return 0
	}
	n := s.SizeVT()
	for _, it := range s.GetItems() {
		for _, c := range it.GetCancellations() {
			n -= c.SizeVT()
		}
	}
	for _, r := range s.GetReturns() {
		n -= r.SizeVT()
	}
	return n
}

// shortened returns an input without texts that no rule reads, for a shipment that is too large to keep them, and says
// what it left out. The event holds the short texts, so a fold sees the same. ok is false if there is nothing to
// shorten.
func shortened(in Input) (short Input, what string, ok bool) {
	switch f := in.(type) {
	case Created:
		f.Details = f.Details.CloneVT()
		if f.Details != nil {
			f.Details.ExtensionsJson = ""
		}
		items := make([]CreatedItem, len(f.Items))
		for i, it := range f.Items {
			it.Details = it.Details.CloneVT()
			if it.Details != nil {
				it.Details.ExtensionsJson = ""
			}
			items[i] = it
		}
		f.Items = items
		return f, "the texts of all extensions: too large", true
	case Cancelled:
		items := make([]CancelledItem, len(f.Items))
		for i, it := range f.Items {
			it.Reason, it.SubReason = brief(it.Reason), brief(it.SubReason)
			items[i] = it
		}
		f.Items = items
		return f, "the ends of reasons: the shipment is too large", true
	case ReturnReported:
		lines := make([]ReturnLine, len(f.Lines))
		for i, l := range f.Lines {
			l.Return = briefReturn(l.Return)
			if l.TechVisit != nil {
				v := *l.TechVisit
				v.Description = brief(v.Description)
				l.TechVisit = &v
			}
			lines[i] = l
		}
		f.Lines = lines
		return f, "the ends of texts: the shipment is too large", true
	case ReturnTracked:
		lines := make([]*ledgerv1.ReturnTracking, len(f.Lines))
		for i, l := range f.Lines {
			l = l.CloneVT()
			if l != nil {
				l.TrackingId, l.CourierName = brief(l.TrackingId), brief(l.CourierName)
			}
			lines[i] = l
		}
		f.Lines = lines
		return f, "the ends of texts: the shipment is too large", true
	default:
		// Other inputs have no such texts; the second pass only stops asking for it.
		return in, "", IsFact(in)
	}
}

func briefReturn(r *ledgerv1.Return) *ledgerv1.Return {
	r = r.CloneVT()
	if r == nil {
		return nil
	}
	for _, text := range []*string{
		&r.Reason, &r.SubReason, &r.Comments, &r.Action, &r.CourierName, &r.TrackingId, &r.ShipmentStatus, &r.Type,
		&r.ProductId, &r.ListingId, &r.ServiceProfile,
	} {
		*text = brief(*text)
	}
	return r
}

// brief cuts a text, between two characters.
func brief(s string) string {
	if len(s) <= maxBrief {
		return s
	}
	n := maxBrief
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
