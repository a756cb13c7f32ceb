package projections

import (
	"math"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Time is a moment in Unix milliseconds, as the tables hold it, or Unknown.
type Time int64

// Unknown is the Time of what is not known; NULL in the tables.
const Unknown Time = math.MinInt64

// The range of DateTime64: what lies outside could be stored but not read back.
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

// timeOf returns a time.Time as Time; the zero value is Unknown.
func timeOf(t time.Time) Time {
	if t.IsZero() {
		return Unknown
	}
	return clamp(Time(t.UnixMilli()))
}

// recordedOf returns the time of recording, which is in the key of a history's partitions: a time that DateTime64 can't
// hold becomes its first one, because a key can't be NULL.
func recordedOf(t time.Time) Time { return max(timeOf(t), minTime) }

func stamp(t *timestamppb.Timestamp) Time {
	// Seconds this far out would overflow as milliseconds.
	if t == nil || t.GetSeconds() > int64(maxTime) || t.GetSeconds() < int64(minTime) {
		return Unknown
	}
	return clamp(Time(t.GetSeconds()*1000 + int64(t.GetNanos())/1e6))
}

func moment(m *ledgerv1.Moment) Time { return stamp(m.GetAt()) }

// RecordedAt returns when a record was recorded, as its headers say; false when they don't.
func RecordedAt(headers []events.Header) (Time, bool) {
	t, ok := events.RecordedAt(headers)
	return recordedOf(t), ok
}
