package shipment

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const (
	reportedCertainty = ledgerv1.Certainty_CERTAINTY_UNSPECIFIED
	inferred          = ledgerv1.Certainty_CERTAINTY_INFERRED
	assumed           = ledgerv1.Certainty_CERTAINTY_ASSUMED
)

// ist is the time zone of the marketplace's days. Its offset has not changed since 1945, so the zone is fixed here: the
// time zone files of a machine would make decisions depend on the machine.
//
//nolint:gochecknoglobals // Go has no constants of this type.
var ist = time.FixedZone("IST", int((5*time.Hour + 30*time.Minute).Seconds()))

// IsZero reports whether no time was given.
func (w When) IsZero() bool { return w.Time.IsZero() }

// stamp turns a time into a timestamp, and the zero time into nil.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// reported is the moment of something that somebody reported.
func reported(t time.Time) *ledgerv1.Moment {
	// One allocation for both: every input makes one of these.
	b := &struct {
		m  ledgerv1.Moment
		at timestamppb.Timestamp
	}{}
	b.at.Seconds, b.at.Nanos = t.Unix(), int32(t.Nanosecond())
	b.m.At = &b.at
	return &b.m
}

// withCertainty returns the same moment with another certainty.
func withCertainty(m *ledgerv1.Moment, c ledgerv1.Certainty) *ledgerv1.Moment {
	if m == nil || m.Certainty == c {
		return m
	}
	return &ledgerv1.Moment{At: m.At, Certainty: c, Day: m.Day}
}

// before compares two timestamps without converting them to times, which would show in the benchmark.
func before(a, b *timestamppb.Timestamp) bool {
	if a.GetSeconds() != b.GetSeconds() {
		return a.GetSeconds() < b.GetSeconds()
	}
	return a.GetNanos() < b.GetNanos()
}

// same reports whether two timestamps are equal; nil equals only nil.
func same(a, b *timestamppb.Timestamp) bool {
	return (a == nil) == (b == nil) && a.GetSeconds() == b.GetSeconds() && a.GetNanos() == b.GetNanos()
}

// latest returns the later of two timestamps; nil is earlier than any.
func latest(a, b *timestamppb.Timestamp) *timestamppb.Timestamp {
	if a == nil || b != nil && before(a, b) {
		return b
	}
	return a
}

// later returns the later of two moments; nil is earlier than any.
func later(a, b *ledgerv1.Moment) *ledgerv1.Moment {
	if a == nil || b != nil && before(a.GetAt(), b.GetAt()) {
		return b
	}
	return a
}

// sameMoment reports whether two moments are the same instant, or the same day where only the day is known.
func sameMoment(a, b *ledgerv1.Moment) bool {
	if a == nil || b == nil || a.Day != b.Day {
		return false
	}
	if a.Day {
		return dayOf(a.At.AsTime()) == dayOf(b.At.AsTime())
	}
	return same(a.At, b.At)
}

// dayOf numbers the days in IST, so that they can be compared.
func dayOf(t time.Time) int64 {
	_, offset := t.In(ist).Zone()
	sec := t.Unix() + int64(offset)
	if sec < 0 && sec%86400 != 0 {
		return sec/86400 - 1
	}
	return sec / 86400
}

// isoDay returns the day of a time, in IST, for a message.
func isoDay(t time.Time) string { return t.In(ist).Format(time.DateOnly) }

// endOfDay is the last second of the day in IST.
func endOfDay(t time.Time) time.Time {
	y, m, d := t.In(ist).Date()
	return time.Date(y, m, d, 23, 59, 59, 0, ist).UTC()
}

// happened is the moment of something that somebody did; a time is kept as it was reported. A plain date is the end of
// that day, at most now: any earlier time could put the step before the one that it followed.
func happened(w When, now time.Time) *ledgerv1.Moment {
	if !w.Day {
		return reported(w.Time)
	}
	t := endOfDay(w.Time)
	if t.After(now) {
		t = now
	}
	return &ledgerv1.Moment{At: timestamppb.New(t), Day: true}
}

// due is the time of a promise. A plain date is the end of that day, because the whole day may be used.
func due(w When) *timestamppb.Timestamp {
	if w.IsZero() {
		return nil
	}
	if w.Day {
		return timestamppb.New(endOfDay(w.Time))
	}
	return timestamppb.New(w.Time)
}

// promised is the time of a promise that follows from the policy, or nil if the policy makes none. It is bounded like
// every promise: a date that the tables can't hold would look as if there were none.
func promised(from *timestamppb.Timestamp, within time.Duration) *timestamppb.Timestamp {
	if from == nil || within <= 0 {
		return nil
	}
	return timestamppb.New(from.AsTime().Add(min(within, maxPromise)))
}

// isFuture reports whether the day of a time has not come yet. Sellers enter times by hand and their clocks differ, so
// commands are judged by the day, with or without a time.
func isFuture(w When, now time.Time) bool { return dayOf(w.Time) > dayOf(now) }

// precedes reports whether the day of a time is before that of a step whose time was reported. An inferred or assumed
// time is only the latest that the step can have had, so no date contradicts it.
func precedes(w When, step *ledgerv1.Moment) bool {
	return step != nil && step.GetCertainty() == reportedCertainty && dayOf(w.Time) < dayOf(step.GetAt().AsTime())
}
