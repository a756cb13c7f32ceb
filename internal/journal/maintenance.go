package journal

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// maintenance is the periodic work of an instance. It ends draining lanes that were fenced silently, starts another
// takeover of lanes that readers can't read to the end, trims the inbox, and commits the inbox positions.
type maintenance struct {
	j         *Journal
	stuck     map[int32]reach // Lanes that readers could not read to the end at the last check.
	committed map[int32]int64 // The inbox positions in the inbox group.
	seen      map[int32]int64 // The inbox positions of the last round.
	last      time.Time       // When positions were committed last.
}

// endsEvery is the interval at which the lanes' ends are asked for.
const endsEvery = time.Second

// maintainEvery is the housekeeping interval.
const maintainEvery = 50 * time.Millisecond

// run maintains the instance until ctx ends.
func (m *maintenance) run(ctx context.Context) {
	j := m.j
	adm := kadm.NewClient(j.topics.client)
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	m.last = time.Now()
	trimmed, fenced, read, asked := time.Now(), time.Now(), time.Now(), time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if time.Since(fenced) >= fencedCheckEvery {
			fenced = time.Now()
			j.endFenced(ctx)
		}
		if !j.cfg.Embedded && time.Since(read) >= readableEvery {
			read = time.Now()
			m.checkReadable(ctx, adm)
		}
		if !j.cfg.Embedded && time.Since(asked) >= endsEvery {
			asked = time.Now()
			j.warmth.refresh(ctx, adm)
		}
		now := j.lanes.positions()
		if time.Since(trimmed) >= j.cfg.InboxTrimEvery {
			trimmed = time.Now()
			m.trim(ctx, adm, now)
		}
		m.commit(ctx, adm, now)
	}
}

// commit commits the inbox positions to the inbox group, for programs that wait until an import is decided. The group
// is only for information: a lane's own position is in its decisions. Positions that move are committed at intervals,
// and positions that rest at once, so that no program waits for an idle lane.
func (m *maintenance) commit(ctx context.Context, adm *kadm.Client, now map[int32]int64) {
	rested := maps.Equal(now, m.seen)
	m.seen = now
	if !rested && time.Since(m.last) < m.j.cfg.InboxCommitEvery {
		return
	}
	offsets := kadm.Offsets{}
	for lane, at := range now {
		if before, ok := m.committed[lane]; !ok || before != at {
			offsets.AddOffset(events.TopicInbox, lane, at, -1)
		}
	}
	if len(offsets) == 0 {
		return
	}
	m.last = time.Now()
	if err := adm.CommitAllOffsets(ctx, kafka.GroupInbox(m.j.cfg.Cluster), offsets); err != nil {
		if ctx.Err() == nil {
			m.j.log.WarnContext(ctx, "inbox positions not committed", slog.Any("err", err))
		}
		return
	}
	// A lane that comes back after it was elsewhere is not in it, and so is committed again.
	m.committed = now
}

// trim deletes inbox records well below the position of their lane: they are decided, and an input that waits is held
// by its decision.
func (m *maintenance) trim(ctx context.Context, adm *kadm.Client, positions map[int32]int64) {
	keep := m.j.cfg.InboxKeep
	if keep <= 0 {
		return
	}
	offsets := kadm.Offsets{}
	for lane, at := range positions {
		if at > keep {
			offsets.AddOffset(events.TopicInbox, lane, at-keep, -1)
		}
	}
	if len(offsets) == 0 {
		return
	}
	responses, err := adm.DeleteRecords(ctx, offsets)
	if err == nil {
		err = responses.Error()
	}
	if err != nil && ctx.Err() == nil {
		m.j.log.WarnContext(ctx, "inbox not trimmed", slog.Any("err", err))
	}
}

// readableEvery is the interval between checks whether readers reach the ends of the open lanes.
const readableEvery = 5 * time.Second

// errUnreadable says that readers stop before the end of a lane in which nothing is being written.
var errUnreadable = &lostError{err: errors.New("readers do not reach the lane's end: a marker may be lost")}

// reach holds the ends of a lane's events and decisions, as read_committed and read_uncommitted see them.
type reach struct{ stable, all [2]int64 }

// checkReadable starts another takeover of a lane if its readers have stopped before its end, at the same place as in
// the previous check. That never happens to a busy lane: its next transaction under the same id ends the open one. An
// idle owner would not notice that a broker has lost a marker, and all readers of its lane would wait.
func (m *maintenance) checkReadable(ctx context.Context, adm *kadm.Client) {
	stable, err := adm.ListCommittedOffsets(ctx, events.TopicEvents, events.TopicDecisions)
	if err != nil {
		return
	}
	all, err := adm.ListEndOffsets(ctx, events.TopicEvents, events.TopicDecisions)
	if err != nil {
		return
	}
	stuck := map[int32]reach{}
	assigned, _ := m.j.lanes.current()
	for id, l := range assigned {
		if !l.open.Load() {
			continue
		}
		var now reach
		for i, topic := range []string{events.TopicEvents, events.TopicDecisions} {
			s, ok1 := stable.Lookup(topic, id)
			a, ok2 := all.Lookup(topic, id)
			if ok1 && ok2 && s.Err == nil && a.Err == nil {
				now.stable[i], now.all[i] = s.Offset, a.Offset
			}
		}
		if now.stable == now.all {
			continue
		}
		stuck[id] = now
		if m.stuck[id] == now {
			select {
			case l.intake.again <- struct{}{}:
			default:
			}
		}
	}
	m.stuck = stuck
}
