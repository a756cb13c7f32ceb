package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// worker writes one partition for as long as one membership holds it.
type worker struct {
	p      *Projector
	commit *committer
	queue  *queue
	log    *slog.Logger

	// stop ends the gathering of batches, abort what is being written too.
	stop, abort context.CancelFunc
	stopped     context.Context
	aborted     context.Context
	done        chan struct{}

	// position is the offset after the last one that is in all tables; -1 until the first record tells.
	position int64
	// acked is the position the group knows.
	acked int64
	// landed is the highest offset that has its history row.
	landed int64
	// recover is the last offset of the batch that the worker before may have written; -1 for none.
	recover int64
	// lease is the wall time until which the last accepted commit protects an insert.
	lease time.Time
}

// run works until the partition is taken away. Only what nobody can mend by waiting is an error.
func (w *worker) run() error {
	defer close(w.done)
	defer w.queue.close()
	defer w.recovered()
	defer w.stop()
	err := w.takeOver()
	for err == nil {
		var records []*kgo.Record
		if records, err = w.gather(); err == nil {
			err = w.write(records)
		}
	}
	switch {
	case errors.Is(err, errLost):
		// The broker says so before the client has noticed, or by mistake: joining again settles both.
		w.log.WarnContext(w.stopped, "partition lost", slog.Any("err", err))
		w.p.metrics.lost.Inc()
		w.commit.client.ForceRebalance()
		return nil
	case w.stopped.Err() != nil:
		return nil
	}
	return fmt.Errorf("project %s/%d: %w", w.commit.topic, w.commit.partition, err)
}

// takeOver finds out where the partition stands: what is written, and what may have been.
func (w *worker) takeOver() error {
	return w.retry("take over", func() error {
		offset, metadata, err := w.commit.committed(w.stopped)
		if err != nil {
			return err
		}
		w.position, w.acked, w.recover = offset, offset, -1
		slot, err := w.p.slot(w.stopped)
		if err != nil {
			return err
		}
		defer w.p.release(slot)
		if w.landed, err = slot.inserter.MaxOffset(w.stopped, historyOf(w.commit.topic), w.commit.partition); err != nil {
			return err
		}
		in, ok := parseIntent(offset, metadata)
		if !ok {
			return nil
		}
		// One insert is one part: its rows are all there or none. Anything else was written by somebody else.
		if in.history >= 0 && w.landed >= in.first && w.landed < in.history {
			return permanent{fmt.Errorf("history of lane %d ends at %d, within the batch %d to %d that was to be written at once: "+
				"another program writes to this table", w.commit.partition, w.landed, in.first, in.history)}
		}
		w.recover = in.last
		// Its batch must fit whatever the other partitions hold.
		w.p.budget.lend(w.p.cfg.MaxBytes)
		w.log.InfoContext(w.stopped, "batch taken over", slog.Int64("first", in.first), slog.Int64("last", in.last),
			slog.Bool("history_landed", in.history >= 0 && w.landed >= in.history))
		return nil
	})
}

// recovered forgets the batch that was taken over: it is written, or somebody else will take it over.
func (w *worker) recovered() {
	if w.recover >= 0 {
		w.recover = -1
		w.p.budget.lend(-w.p.cfg.MaxBytes)
	}
}

// historyOf returns the table that remembers how far a topic was written.
func historyOf(topic string) string {
	if topic == events.TopicDecisions {
		return tableDecisions
	}
	return tableEvents
}

// gather waits until there is a batch and returns its records, which stay in the queue.
func (w *worker) gather() ([]*kgo.Record, error) {
	cfg := w.p.cfg
	var first, last time.Time // When the first record was seen, and the last.
	seen := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	started := time.Now()
	for {
		if w.stopped.Err() != nil {
			return nil, w.leave()
		}
		records, bytes, end := w.queue.view()
		now := time.Now()
		if seen == 0 && len(records) > 0 {
			first = now
		}
		if len(records) > seen {
			seen, last = len(records), now
		}
		if n := w.cut(records, bytes, end); n > 0 {
			return records[:n], nil
		}
		wait := time.Hour
		if seen > 0 && w.recover < 0 {
			wait = min(first.Add(cfg.MaxWait).Sub(now), last.Add(cfg.IdleWait).Sub(now))
			if wait <= 0 {
				return records[:min(len(records), cfg.MaxRows)], nil
			}
		}
		if w.acked != w.position {
			ack := started.Add(cfg.AckWait).Sub(now)
			if ack <= 0 {
				if err := w.acknowledge(); err != nil {
					return nil, err
				}
				continue
			}
			wait = min(wait, ack)
		}
		timer.Reset(wait)
		select {
		case <-w.stopped.Done():
		case <-w.queue.wake:
		case <-timer.C:
		}
	}
}

// cut returns how many of the records are a batch, or 0 when it is worth waiting for more.
func (w *worker) cut(records []*kgo.Record, bytes int, end int64) int {
	if len(records) == 0 {
		return 0
	}
	if w.recover >= 0 {
		// The batch of the worker before, to the record.
		for i, r := range records {
			if r.Offset >= w.recover {
				if r.Offset > w.recover {
					return i
				}
				return i + 1
			}
		}
		return 0
	}
	cfg := w.p.cfg
	full := bytes >= cfg.MaxBytes || len(records) >= cfg.MaxRows
	if !full && records[len(records)-1].Offset+1 < end && !w.p.budget.full() {
		return 0
	}
	n := min(len(records), cfg.MaxRows)
	if bytes > cfg.MaxBytes {
		bytes = 0
		for i, r := range records[:n] {
			if bytes += size(r); bytes > cfg.MaxBytes {
				return max(i, 1)
			}
		}
	}
	return n
}

// acknowledge tells the group the position when no batch is about to do so.
func (w *worker) acknowledge() error {
	if w.acked == w.position || w.position < 0 {
		return nil
	}
	err := w.retry("acknowledge", func() error {
		return w.commit.commit(w.aborted, w.position, "")
	})
	if err == nil {
		w.acked = w.position
	}
	return err
}

// leave acknowledges what is written before the partition goes to somebody else.
func (w *worker) leave() error {
	if w.aborted.Err() == nil && w.acked != w.position && w.position >= 0 {
		// One try: whoever takes over can do without.
		if err := w.commit.commit(w.aborted, w.position, ""); err != nil {
			w.log.WarnContext(w.aborted, "last position not acknowledged", slog.Any("err", err))
		}
	}
	return context.Cause(w.stopped)
}

// permanent is an error that trying again does not mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

const (
	retryFirst = 100 * time.Millisecond
	retryMax   = 10 * time.Second
)

// retry does something until it succeeds, the partition is taken away, or trying again is no use. Nothing is ever
// skipped because a part of the system is away.
func (w *worker) retry(what string, f func() error) error {
	wait := retryFirst
	for {
		err := f()
		var never permanent
		if err == nil || errors.Is(err, errLost) || errors.As(err, &never) {
			return err
		}
		if w.stopped.Err() != nil {
			return context.Cause(w.stopped)
		}
		w.p.metrics.retries.WithLabelValues(what).Inc()
		w.log.WarnContext(w.stopped, "trying again", slog.String("what", what), slog.Duration("in", wait), slog.Any("err", err))
		select {
		case <-w.stopped.Done():
			return context.Cause(w.stopped)
		case <-time.After(wait):
		}
		wait = min(2*wait, retryMax)
	}
}
