package projections

import "github.com/orderledger/orderledger/events"

// EventRow is a row of events without its body, which events.AppendJSON writes straight into the column. Its bytes
// belong to the record.
type EventRow struct {
	Lane   int32
	Offset int64
	events.View
	// EventType is the short name of the type.
	EventType string
	// FromStatus and ToStatus name the statuses of the view; empty for none.
	FromStatus, ToStatus string
	// Occurred, Decided and Recorded are the view's times as the tables hold them.
	Occurred, Decided, Recorded Time
}

// Read makes the row of one record of orders.events.v1. An error wraps events.ErrUndecodable: the record has no row.
func (r *EventRow) Read(lane int32, offset int64, rec *events.Record) error {
	if err := r.View.Read(rec); err != nil {
		return err
	}
	r.Lane, r.Offset = lane, offset
	r.EventType = events.ShortType(r.Type)
	r.FromStatus, r.ToStatus = statusNames.of(int32(r.From)), statusNames.of(int32(r.To))
	r.Occurred, r.Decided, r.Recorded = timeOf(r.OccurredAt), recordedOf(r.DecidedAt), recordedOf(r.RecordedAt)
	return nil
}

// Month returns the partition of a history row: year and month of its recording as one number.
func Month(recorded Time) int {
	y, m := civil(recorded)
	return y*100 + m
}
