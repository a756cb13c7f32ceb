package emitter

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/orderledger/orderledger/internal/testkit"
)

func TestScheduler(t *testing.T) {
	t.Parallel()

	t.Run("lanes take turns and a lane has one message in flight", func(t *testing.T) {
		t.Parallel()
		s, p := newScheduler(10), newPartition(t.Context(), 0, 0, marks{})
		a1, a2, b1 := pushed(s, p, 1, "a"), pushed(s, p, 2, "a"), pushed(s, p, 3, "b")
		require.Same(t, a1, s.next())
		require.Same(t, b1, s.next())
		require.Nil(t, s.next())
		s.landed(a1)
		require.Same(t, a2, s.next())
		s.landed(a2)
		s.landed(b1)
		require.Empty(t, p.lanes)
		require.Zero(t, s.inFlight)
	})

	t.Run("a waiting lane holds no slot and comes back when it is due", func(t *testing.T) {
		t.Parallel()
		s, p, now := newScheduler(1), newPartition(t.Context(), 0, 0, marks{}), time.Unix(100, 0)
		a, b := pushed(s, p, 1, "a"), pushed(s, p, 2, "b")
		require.Same(t, a, s.next())
		require.Nil(t, s.next(), "no slot")
		s.retry(a, now, now.Add(time.Second))
		require.Same(t, b, s.next())
		s.landed(b)
		s.wake(now.Add(time.Second - 1))
		require.Nil(t, s.next())
		due, waiting := s.nextDue()
		require.True(t, waiting)
		require.Equal(t, now.Add(time.Second), due)
		s.wake(due)
		require.Same(t, a, s.next())
		require.Equal(t, now, p.oldestFailure())
	})

	t.Run("a held partition sends nothing more", func(t *testing.T) {
		t.Parallel()
		s, now := newScheduler(2), time.Unix(100, 0)
		p, q := newPartition(t.Context(), 0, 0, marks{}), newPartition(t.Context(), 1, 0, marks{})
		flying, waiting := pushed(s, p, 1, "flying"), pushed(s, p, 2, "waiting")
		require.Same(t, flying, s.next())
		require.Same(t, waiting, s.next())
		s.retry(waiting, now, now)
		pushed(s, p, 3, "ready")
		pushed(s, p, 4, "flying")
		other := pushed(s, q, 1, "other")
		s.hold(p)
		s.hold(p)
		s.wake(now.Add(time.Hour))
		require.Same(t, other, s.next())
		s.landed(other)
		s.landed(flying)
		require.Nil(t, s.next())
		require.Zero(t, p.flying)
		require.Zero(t, s.ready.length)
	})
}

func pushed(s *scheduler, p *partition, id int64, order string) *delivery {
	d := &delivery{outbound: outbound{id: id, shipmentID: order, offset: p.next}}
	p.see(d.offset, id)
	p.admit(d)
	s.push(p, d)
	return d
}

func TestNothingIsSentThatCouldOutliveTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := newCourier(
			config().withDefaults(), Endpoint{
				Name: "efs", URL: "http://127.0.0.1:1", Timeout: 5 * time.Second,
				RetrySchedule: []time.Duration{20 * time.Second}, // When it is over, so is the session of 20 seconds.
			},
			"efs", nil, must(newDeliverMetrics(nil, nil)), nil, testkit.Logger(t),
		)
		require.NoError(t, err)
		beat := func() {
			c.lastBeat.Store(time.Now().UnixNano())
			c.beats <- struct{}{}
			synctest.Wait()
		}
		attempts := func() (n int) {
			c.do(func() {
				for d := c.partitions[0].first; d != nil; d = d.newer {
					n += d.attempts
				}
			})
			return n
		}
		go c.loop()
		defer func() {
			close(c.quit)
			<-c.stopped
			c.busy.Wait()
		}()
		beat()
		time.Sleep(c.session - c.endpoint.Timeout) //nolint:forbidigo // The bubble's clock: the session has exactly one timeout left.
		c.do(func() {
			p := newPartition(t.Context(), 0, 0, marks{})
			c.partitions[0] = p
			pushed(c.lanes, p, 1, "a")
			c.commitDue = time.Time{}
		})
		synctest.Wait()
		require.Zero(t, attempts())
		beat()
		require.Equal(t, 1, attempts(), "a beat wakes the lane")
		time.Sleep(time.Hour) //nolint:forbidigo // The bubble's clock.
		require.Equal(t, 1, attempts(), "its retry waits for a beat")
		beat()
		require.Equal(t, 2, attempts())
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestLanesAndMarksSurviveAnyCrash plays a log against the scheduler and the partition with crashes at any step, and
// checks what a receiver would see: nothing lost, first arrivals in order, repeats only of what was not committed.
func TestLanesAndMarksSurviveAnyCrash(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		w := &world{log: log, slots: rapid.IntRange(1, 4).Draw(t, "slots"), seen: map[string][]int64{}, committedDone: map[int64]bool{}, delivered: map[int64]bool{}}
		w.takeOver(t)
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			// Crashes are rare enough for something to happen between them, and often two in a row.
			switch rapid.IntRange(0, 15).Draw(t, "action") {
			case 0, 1, 2, 3:
				w.fetch(t)
			case 4, 5, 6, 7:
				w.send(t)
			case 8, 9, 10:
				w.land(t)
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
	taken      bool
	repeat     bool
}

// drawLog makes a log with rising ids, holes in the offsets, stretches repeated by a translator, and messages that
// the endpoint does not take.
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
			taken: rapid.IntRange(0, 5).Draw(t, "taken") > 0,
		})
	}
	return log
}

type world struct {
	log   []logRecord
	slots int

	// Of the living process.
	s       *scheduler
	p       *partition
	fetched int
	flying  []*delivery
	now     time.Time

	// Of Kafka.
	offset    int64
	metadata  string
	committed bool

	// Of the receiver: what arrived of each order, and what had been delivered when it was committed.
	seen          map[string][]int64
	delivered     map[int64]bool
	committedDone map[int64]bool
}

func (w *world) takeOver(t *rapid.T) {
	offset, known := int64(-1), marks{}
	if w.committed {
		offset, known = w.offset, must(decodeMarks(w.offset, w.metadata))
	}
	w.s, w.p = newScheduler(w.slots), newPartition(context.Background(), 0, offset, known)
	w.flying = nil
	w.fetched = 0
	for w.fetched < len(w.log) && w.log[w.fetched].offset < offset {
		w.fetched++
	}
}

func (w *world) fetch(t *rapid.T) {
	if w.fetched == len(w.log) {
		return
	}
	r := w.log[w.fetched]
	w.fetched++
	switch w.p.see(r.offset, r.id) {
	case fresh:
		if !r.taken {
			w.p.pass(r.id)
			return
		}
		d := &delivery{outbound: outbound{id: r.id, shipmentID: r.order, offset: r.offset}}
		w.p.admit(d)
		w.s.push(w.p, d)
	case delivered:
		require.True(t, w.committedDone[r.id] || r.repeat || !r.taken, "%d was never delivered", r.id)
	case repeated:
		require.True(t, r.repeat, "%d came for the first time", r.id)
	case backwards:
		t.Fatal("offsets do not go back here")
	}
}

func (w *world) send(t *rapid.T) {
	d := w.s.next()
	if d == nil {
		return
	}
	require.False(t, w.committedDone[d.id], "%d was committed as done and is sent again", d.id)
	for _, other := range w.flying {
		require.NotEqual(t, other.shipmentID, d.shipmentID, "two of one order in flight")
	}
	w.flying = append(w.flying, d)
	arrived := w.seen[d.shipmentID]
	if i := slices.Index(arrived, d.id); i < 0 {
		if n := len(arrived); n > 0 {
			require.Greater(t, d.id, arrived[n-1])
			require.True(t, w.delivered[arrived[n-1]], "%d overtook %d", d.id, arrived[n-1])
		}
		w.seen[d.shipmentID] = append(arrived, d.id)
	}
}

func (w *world) take(t *rapid.T) *delivery {
	if len(w.flying) == 0 {
		return nil
	}
	i := rapid.IntRange(0, len(w.flying)-1).Draw(t, "which")
	d := w.flying[i]
	w.flying = slices.Delete(w.flying, i, i+1)
	return d
}

func (w *world) land(t *rapid.T) {
	if d := w.take(t); d != nil {
		w.delivered[d.id] = true
		w.s.landed(d)
		w.p.finish(d)
	}
}

func (w *world) fail(t *rapid.T) {
	if d := w.take(t); d != nil {
		w.s.retry(d, w.now, w.now.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "wait"))))
	}
}

func (w *world) wake(t *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.IntRange(1, 5).Draw(t, "pass")))
	w.s.wake(w.now)
}

func (w *world) commit(*rapid.T) {
	at := w.p.position()
	w.offset, w.metadata, w.committed = at.offset, at.metadata, true
	pending := map[int64]bool{}
	for d := w.p.first; d != nil; d = d.newer {
		pending[d.id] = true
	}
	for id := range w.delivered {
		// A predecessor's delivery that has not been read again yet is done only if it had been committed.
		if !pending[id] && (id <= w.p.highest || w.committedDone[id]) {
			w.committedDone[id] = true
		}
	}
}

func (w *world) check(t *rapid.T) {
	require.LessOrEqual(t, w.s.inFlight, w.slots)
	require.Equal(t, len(w.flying), w.s.inFlight)
	require.Equal(t, len(w.flying), w.p.flying)
	queued := 0
	for _, l := range w.p.lanes {
		for d := l.first; d != nil; d = d.behind {
			queued++
		}
	}
	require.Equal(t, w.p.pending, queued)
}

// finish lets everything through and checks that nothing is missing.
func (w *world) finish(t *rapid.T) {
	for w.fetched < len(w.log) || w.p.pending > 0 {
		w.fetch(t)
		w.now = w.now.Add(time.Hour)
		w.s.wake(w.now)
		w.send(t)
		for len(w.flying) > 0 {
			w.land(t)
		}
	}
	for _, r := range w.log {
		if r.taken {
			require.True(t, w.delivered[r.id], "%d of order %s is lost", r.id, r.order)
		}
	}
	w.commit(t)
	require.Equal(t, w.log[len(w.log)-1].offset+1, w.offset)
}
