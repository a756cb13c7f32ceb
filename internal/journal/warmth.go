package journal

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/journal/membership"
)

// warmth is how far this instance's stores are from the ends of their lanes. The group prefers instances that are near:
// a lane that moves to one of them is closed only for a moment.
type warmth struct {
	mu   sync.Mutex
	at   map[int32]*[2]int64 // How far events and decisions have been read; guarded by mu. A lane without one is unknown.
	ends map[int32][2]int64  // The ends of the topics as last seen; guarded by mu. Nil before the first answer.
	rate float64             // Records read in a second; guarded by mu, 0 before it was measured.
}

// rateBefore is the reading speed that counts until it is measured, in records a second: a low one, of a small machine.
const rateBefore = 5000

// measuredFrom is the number of records whose reading is long enough to measure the speed.
const measuredFrom = 1000

// topicIndex is the place of a topic in a pair of offsets.
func topicIndex(topic string) int {
	if topic == events.TopicDecisions {
		return 1
	}
	return 0
}

// read notes that a lane's topic has been read up to an offset, and that its chain agreed.
func (w *warmth) read(lane int32, topic string, offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at == nil {
		w.at = map[int32]*[2]int64{}
	}
	if w.at[lane] == nil {
		w.at[lane] = new([2]int64)
	}
	w.at[lane][topicIndex(topic)] = offset
}

// reset notes that a lane is read from its beginning.
func (w *warmth) reset(lane int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at == nil {
		w.at = map[int32]*[2]int64{}
	}
	w.at[lane] = new([2]int64)
}

// measured notes how long it took to fetch and apply records, of all lanes together.
func (w *warmth) measured(records int, took time.Duration) {
	if records < measuredFrom || took <= 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := float64(records) / took.Seconds()
	if w.rate == 0 {
		w.rate = now
	}
	w.rate = 0.8*w.rate + 0.2*now
}

// refresh asks for the ends of the lanes.
func (w *warmth) refresh(ctx context.Context, adm *kadm.Client) {
	stable, err := adm.ListCommittedOffsets(ctx, events.TopicEvents, events.TopicDecisions)
	if err != nil {
		return
	}
	ends := map[int32][2]int64{}
	stable.Each(func(o kadm.ListedOffset) {
		if o.Err == nil {
			pair := ends[o.Partition]
			pair[topicIndex(o.Topic)] = o.Offset
			ends[o.Partition] = pair
		}
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends = ends
}

// left returns how many records of a lane are left to read, membership.Unknown if that is not known.
func (w *warmth) left(lane int32) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, end := w.at[lane], w.ends[lane]
	if at == nil || w.ends == nil {
		return membership.Unknown
	}
	return max(0, end[0]-at[0]) + max(0, end[1]-at[1])
}

func (w *warmth) speed() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rate == 0 {
		return rateBefore
	}
	return w.rate
}

// report says how near this instance is to serving each lane. The lanes that it still has to read share its speed.
func (j *Journal) report() membership.Report {
	r := membership.Report{Lanes: make([]int64, j.cfg.Lanes)}
	j.lanes.mu.Lock()
	follow := j.lanes.toFollow(j.cfg.Lanes)
	j.lanes.mu.Unlock()
	behind := 0
	for id := range int32(j.cfg.Lanes) {
		r.Lanes[id] = j.warmthOf(id)
		if r.Lanes[id] > measuredFrom && (follow[id] || j.lanes.has(id)) {
			behind++
		}
	}
	r.Rate = j.warmth.speed() / float64(max(1, behind))
	return r
}

func (j *Journal) warmthOf(id int32) int64 {
	l := j.lanes.serving(id)
	switch {
	case l != nil && l.open.Load():
		return membership.Open
	case j.cfg.Embedded:
		return 0 // There are no other instances to give it to.
	case l != nil && isLasting(l.closed()), j.isDamaged(id):
		return membership.Cannot
	}
	left := j.warmth.left(id)
	if j.hooks.left != nil {
		return j.hooks.left(id, left)
	}
	return left
}

// inspectStores finds out how near the stores on disk are to their lanes, before this instance joins the group: the
// group should not give a lane to another instance, because this one has nothing to say yet. A store that can't be
// compared is left to the takeover or standby that opens it.
func (j *Journal) inspectStores(ctx context.Context) {
	want, err := j.topics.identity(ctx)
	if err != nil {
		return
	}
	j.warmth.refresh(ctx, kadm.NewClient(j.topics.client))
	for id := range int32(j.cfg.Lanes) {
		if _, err := os.Stat(lanestore.Dir(j.cfg.StoreDir, id)); errors.Is(err, os.ErrNotExist) {
			j.warmth.reset(id)
			continue
		}
		if err := j.inspectStore(ctx, id, want); err != nil {
			j.laneLog(id).InfoContext(ctx, "lane store not compared with its lane", slog.Any("err", err))
		}
	}
}

// inspectStore compares the last record of each topic in a store with the lane.
func (j *Journal) inspectStore(ctx context.Context, id int32, want lanestore.Meta) error {
	store, err := j.openStore(ctx, id, want)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	m := store.Meta()
	for _, topic := range []struct {
		name string
		pos  *lanestore.TopicPosition
	}{{events.TopicEvents, &m.Events}, {events.TopicDecisions, &m.Decisions}} {
		if topic.pos.Last >= 0 {
			err := j.topics.scan(ctx, topic.name, id, topic.pos.Last, topic.pos.Last+1, func(rec *kgo.Record) error {
				return agrees(topic.pos, rec)
			})
			if err != nil {
				return err
			}
		}
		j.warmth.read(id, topic.name, topic.pos.Next)
	}
	return nil
}
