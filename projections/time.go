package projections

import (
	"math"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Time is a moment in Unix milliseconds, as the tables hold it, or Unknown.
type Time int64

// Unknown is a Time that was not reported or that the tables can't hold; NULL in the tables.
const Unknown Time = math.MinInt64

// The range of DateTime64. ClickHouse stores a time outside it without complaint and returns another one.
const (
	minTime Time = -2208988800000 // 1900-01-01
	maxTime Time = 10413791999999 // 2299-12-31
)

func clamp(ms Time) Time {
	if ms < minTime || ms > maxTime {
		return Unknown
	}
	return ms
}

// timeOf converts a time.Time; the zero value is Unknown.
func timeOf(t time.Time) Time {
	if t.IsZero() {
		return Unknown
	}
	return clamp(Time(t.UnixMilli()))
}

// recordedOf converts a time that is never NULL, such as that of recording, which is in the key of a history's
// partitions: a time that DateTime64 can't hold becomes its first one.
func recordedOf(t time.Time) Time { return max(timeOf(t), minTime) }

func stamp(t *timestamppb.Timestamp) Time {
	// Compared in seconds, because larger ones would overflow as milliseconds.
	if t == nil || t.GetSeconds() > int64(maxTime) || t.GetSeconds() < int64(minTime) {
		return Unknown
	}
	return clamp(Time(t.GetSeconds()*1000 + int64(t.GetNanos())/1e6))
}

// moment returns a time that was reported, or assumed where the command gave none; Unknown if it was only inferred.
func moment(m *ledgerv1.Moment) Time {
	if m.GetCertainty() == ledgerv1.Certainty_CERTAINTY_INFERRED {
		return Unknown
	}
	return stamp(m.GetAt())
}

// bound returns the latest time that an unreported step can have had; Unknown if the step was reported or not reached.
func bound(m *ledgerv1.Moment) Time {
	if m.GetCertainty() != ledgerv1.Certainty_CERTAINTY_INFERRED {
		return Unknown
	}
	return stamp(m.GetAt())
}

// ended returns the time of an end, whether it was reported or not.
func ended(m *ledgerv1.Moment) Time { return stamp(m.GetAt()) }

// RecordedAt returns the time of recording of a record with that timestamp.
func RecordedAt(timestamp time.Time) Time { return recordedOf(timestamp) }
