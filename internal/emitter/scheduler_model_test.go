package emitter

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestSchedulerCrashes runs a random log through the scheduler and a partition, with crashes between the steps. It
// checks what a receiver would see: nothing is lost, first arrivals are in order, and only uncommitted messages are
// repeated.
func TestSchedulerCrashes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		w := &model{
			log: log, slots: rapid.IntRange(1, 4).Draw(t, "slots"),
			seen: map[string][]int64{}, committedIDs: map[int64]bool{}, delivered: map[int64]bool{},
		}
		w.takeOver(t)
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			// Crashes are rare, so that much happens between them, and yet two sometimes follow each other.
			switch rapid.IntRange(0, 15).Draw(t, "action") {
			case 0, 1, 2, 3:
				w.fetch(t)
			case 4, 5, 6, 7:
				w.send(t)
			case 8, 9, 10:
				w.complete(t)
			case 11:
				w.fail(t)
			case 12:
				w.wake(t)
			case 13, 14:
				w.commit(t)
			case 15:
				w.takeOver(t)
			}
			w.check(t)
		}
		w.finish(t)
	})
}

type logRecord struct {
	offset, id int64
	order      string
	passes     bool // The endpoint's filter.
	repeat     bool
}

// drawLog draws a log with rising ids, gaps in the offsets, runs repeated by a translator, and messages that the filter
// drops.
func drawLog(t *rapid.T) []logRecord {
	var log []logRecord
	offset, id := int64(rapid.IntRange(0, 3).Draw(t, "start")), int64(0)
	for range rapid.IntRange(1, 40).Draw(t, "records") {
		offset += int64(rapid.SampledFrom([]int{1, 1, 1, 2, 5}).Draw(t, "step"))
		if len(log) > 0 && rapid.IntRange(0, 5).Draw(t, "repeat") == 0 {
			again := log[rapid.IntRange(max(0, len(log)-5), len(log)-1).Draw(t, "from"):]
			for _, r := range slices.Clone(again) {
				r.offset, r.repeat = offset, true
				log = append(log, r)
				offset++
			}
			continue
		}
		id += int64(rapid.IntRange(1, 4096).Draw(t, "id"))
		log = append(log, logRecord{
			offset: offset, id: id, order: fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "order")),
			passes: rapid.IntRange(0, 5).Draw(t, "passes") > 0,
		})
	}
	return log
}

type model struct {
	log   []logRecord
	slots int

	// Of the running process.
	s        *scheduler
	p        *partition
	fetched  int
	inFlight []*delivery
	now      time.Time

	// Of Kafka.
	offset    int64
	metadata  string
	committed bool

	// Of the receiver: the ids that arrived of each order, those delivered, and those of them that were committed.
	seen         map[string][]int64
	delivered    map[int64]bool
	committedIDs map[int64]bool
}

func (w *model) takeOver(t *rapid.T) {
	offset, inherited := int64(-1), completedOffsets{}
	if w.committed {
		offset, inherited = w.offset, must(decodeCompleted(w.offset, w.metadata))
	}
	w.s, w.p = newScheduler(w.slots), newPartition(context.Background(), 0, offset, inherited)
	w.inFlight = nil
	w.fetched = 0
	for w.fetched < len(w.log) && w.log[w.fetched].offset < offset {
		w.fetched++
	}
}

func (w *model) fetch(t *rapid.T) {
	if w.fetched == len(w.log) {
		return
	}
	r := w.log[w.fetched]
	w.fetched++
	switch w.p.advance(r.offset, r.id) {
	case recordNew:
		if !r.passes {
			w.p.ignore(r.id)
			return
		}
		d := &delivery{outbound: outbound{id: r.id, shipmentID: r.order, offset: r.offset}}
		w.p.admit(d)
		w.s.push(w.p, d)
	case recordDelivered:
		require.True(t, w.committedIDs[r.id] || r.repeat || !r.passes, "%d was never delivered", r.id)
	case recordRepeated:
		require.True(t, r.repeat, "%d is no repeat", r.id)
	case recordBackwards:
		t.Fatal("the offsets of this log never go back")
	}
}

func (w *model) send(t *rapid.T) {
	d := w.s.next()
	if d == nil {
		return
	}
	require.False(t, w.committedIDs[d.id], "%d was committed as completed and is sent again", d.id)
	for _, other := range w.inFlight {
		require.NotEqual(t, other.shipmentID, d.shipmentID, "two of one order in flight")
	}
	w.inFlight = append(w.inFlight, d)
	arrived := w.seen[d.shipmentID]
	if i := slices.Index(arrived, d.id); i < 0 {
		if n := len(arrived); n > 0 {
			require.Greater(t, d.id, arrived[n-1])
			require.True(t, w.delivered[arrived[n-1]], "%d overtook %d", d.id, arrived[n-1])
		}
		w.seen[d.shipmentID] = append(arrived, d.id)
	}
}

func (w *model) take(t *rapid.T) *delivery {
	if len(w.inFlight) == 0 {
		return nil
	}
	i := rapid.IntRange(0, len(w.inFlight)-1).Draw(t, "which")
	d := w.inFlight[i]
	w.inFlight = slices.Delete(w.inFlight, i, i+1)
	return d
}

func (w *model) complete(t *rapid.T) {
	if d := w.take(t); d != nil {
		w.delivered[d.id] = true
		w.s.completed(d)
		w.p.complete(d)
	}
}

func (w *model) fail(t *rapid.T) {
	if d := w.take(t); d != nil {
		w.s.retry(d, w.now, w.now.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "wait"))))
	}
}

func (w *model) wake(t *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.IntRange(1, 5).Draw(t, "pass")))
	w.s.wake(w.now)
}

func (w *model) commit(*rapid.T) {
	at := w.p.position()
	w.offset, w.metadata, w.committed = at.offset, at.metadata, true
	pending := map[int64]bool{}
	for d := w.p.pending.oldest; d != nil; d = d.newer {
		pending[d.id] = true
	}
	for id := range w.delivered {
		// A predecessor's delivery that has not been read again yet counts only if it had been committed.
		if !pending[id] && (id <= w.p.highest || w.committedIDs[id]) {
			w.committedIDs[id] = true
		}
	}
}

func (w *model) check(t *rapid.T) {
	require.LessOrEqual(t, w.s.inFlight, w.slots)
	require.Equal(t, len(w.inFlight), w.s.inFlight)
	require.Equal(t, len(w.inFlight), w.p.inFlight)
	queued := 0
	for _, q := range w.p.queues {
		for d := q.first; d != nil; d = d.following {
			queued++
		}
	}
	require.Equal(t, w.p.pending.length, queued)
}

// finish delivers everything and checks that nothing is missing.
func (w *model) finish(t *rapid.T) {
	for w.fetched < len(w.log) || w.p.pending.length > 0 {
		w.fetch(t)
		w.now = w.now.Add(time.Hour)
		w.s.wake(w.now)
		w.send(t)
		for len(w.inFlight) > 0 {
			w.complete(t)
		}
	}
	for _, r := range w.log {
		if r.passes {
			require.True(t, w.delivered[r.id], "%d of order %s is lost", r.id, r.order)
		}
	}
	w.commit(t)
	require.Equal(t, w.log[len(w.log)-1].offset+1, w.offset)
}
