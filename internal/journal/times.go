package journal

import "time"

// times are the two times of a batch. Kafka and the chain need one that never goes backward; the rules need the right
// one, whatever an earlier clock has written.
type times struct {
	// now is the recorded time, the timestamp of the batch's records: later than that of every earlier batch of the lane.
	now time.Time
	// wall is the time on this machine's clock. Inputs are decided as of it, unless their seller has its own time.
	wall time.Time
	// updated is what states say of their last change: the recorded time, or the wall clock in a lane that is far ahead of
	// it.
	updated time.Time
}

// farAhead is how far recorded time may be ahead of the wall clock and still be shown as the time of a change. Reads
// page by the time of a change and ask for that of a day, so after a clock that ran ahead for years the order of
// changes would be right and every page empty.
const farAhead = 24 * time.Hour

// timesAt returns the times of the batch that follows one recorded at lastMs. Headers and Kafka timestamps have
// milliseconds.
func timesAt(clock time.Time, lastMs int64) times {
	wall := time.UnixMilli(clock.UnixMilli()).UTC()
	t := times{now: time.UnixMilli(max(wall.UnixMilli(), lastMs+1)).UTC(), wall: wall}
	t.updated = t.now
	if t.now.Sub(wall) > farAhead {
		t.updated = wall
	}
	return t
}
