package journal

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// attendEvery is how often it is looked after what has to be done.
const attendEvery = 50 * time.Millisecond

// attend is what an instance does beside deciding, every now and then: it ends lanes that were taken without a word,
// has those taken over again that readers can't read, trims the inbox, and tells the inbox positions to the group of
// that name, for those who wait until all of an import is decided. That is information only: a lane's own position is
// in its decisions. Positions that move are told once in a while, one that rests is told at once.
func (j *Journal) attend(ctx context.Context) {
	adm := kadm.NewClient(j.client)
	tick := time.NewTicker(attendEvery)
	defer tick.Stop()
	told, seen, last := map[int32]int64{}, map[int32]int64{}, time.Now()
	trimmed, swept, checked := time.Now(), time.Now(), time.Now()
	var stuck map[int32]reach
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if time.Since(swept) >= sweepEvery {
			swept = time.Now()
			j.sweep(ctx)
		}
		if !j.cfg.Embedded && time.Since(checked) >= readableEvery {
			checked = time.Now()
			stuck = j.checkReadable(ctx, stuck)
		}
		now := j.positions()
		rested := maps.Equal(now, seen)
		seen = now
		if time.Since(trimmed) >= j.cfg.InboxTrimEvery {
			trimmed = time.Now()
			j.trim(ctx, adm, now)
		}
		if !rested && time.Since(last) < j.cfg.InboxCommitEvery {
			continue
		}
		offsets := kadm.Offsets{}
		for lane, at := range now {
			if before, ok := told[lane]; !ok || before != at {
				offsets.AddOffset(events.TopicInbox, lane, at, -1)
			}
		}
		if len(offsets) == 0 {
			continue
		}
		last = time.Now()
		if err := adm.CommitAllOffsets(ctx, kafka.GroupInbox(j.cfg.Cluster), offsets); err != nil {
			if ctx.Err() == nil {
				j.log.WarnContext(ctx, "inbox position not told", slog.Any("err", err))
			}
			continue
		}
		// A lane that comes back after having been elsewhere is told again.
		told = now
	}
}

// positions returns the inbox positions of the lanes that know theirs.
func (j *Journal) positions() map[int32]int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := make(map[int32]int64, len(j.lanes))
	for id, l := range j.lingering {
		if at := l.inbox.Load(); at >= 0 {
			m[id] = at
		}
	}
	for id, l := range j.lanes {
		if at := l.inbox.Load(); at >= 0 {
			m[id] = at
		}
	}
	return m
}

// trim deletes inbox records well below the position of their lane: they are decided, and what waits is held by its
// decision.
func (j *Journal) trim(ctx context.Context, adm *kadm.Client, positions map[int32]int64) {
	if j.cfg.InboxKeep <= 0 {
		return
	}
	offsets := kadm.Offsets{}
	for lane, at := range positions {
		if at > j.cfg.InboxKeep {
			offsets.AddOffset(events.TopicInbox, lane, at-j.cfg.InboxKeep, -1)
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
		j.log.WarnContext(ctx, "inbox not trimmed", slog.Any("err", err))
	}
}
