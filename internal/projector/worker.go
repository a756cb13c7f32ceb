package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
)

// worker writes one partition for as long as one membership holds it.
type worker struct {
	p      *Projector
	commit *committer
	queue  *queue
	log    *slog.Logger

	// stop ends the collecting of batches and lets a batch in hand finish; abort cancels its inserts too.
	stop, abort context.CancelFunc
	stopped     context.Context
	aborted     context.Context
	done        chan struct{}

	// position is the offset after the last one that is in all tables; -1 until the first record, if the group has no
	// offset: the log may begin at any offset.
	position int64
	// acked is the position that was last committed to the group.
	acked int64
	// historyEnd is the highest offset that has a row in the history; -1 for none.
	historyEnd int64
	// unconfirmed is the last offset of the batch whose intent the previous worker committed without confirming it; that
	// worker may have written none, some or all of the tables. -1 for none.
	unconfirmed int64
	// lease is the wall time until which the last accepted commit protects an insert.
	lease time.Time
}

// run works until the partition is revoked. It returns an error only if waiting can't help.
func (w *worker) run() error {
	defer close(w.done)
	defer w.queue.close()
	defer w.forgetUnconfirmed()
	defer w.stop()
	err := w.takeOver()
	for err == nil {
		var records []*kgo.Record
		if records, err = w.collect(); err == nil {
			err = w.write(records)
		}
	}
	switch {
	case errors.Is(err, errLost):
		// The broker removed the member and the client has not noticed yet, or the broker is wrong: joining again settles
		// both. An error here would end the whole program over one rebalance.
		w.log.WarnContext(w.stopped, "partition lost", slog.Any("err", err))
		w.p.metrics.lost.Inc()
		w.commit.client.ForceRebalance()
		return nil
	case w.stopped.Err() != nil:
		return nil
	}
	return fmt.Errorf("project %s/%d: %w", w.commit.topic, w.commit.partition, err)
}

// takeOver finds out how far the partition is written, and what the previous worker may have written beyond that.
func (w *worker) takeOver() error {
	return w.retry("take over", func() error {
		offset, metadata, err := w.commit.committed(w.stopped)
		if err != nil {
			return err
		}
		w.position, w.acked, w.unconfirmed = offset, offset, -1
		slot, err := w.p.slot(w.stopped)
		if err != nil {
			return err
		}
		defer w.p.release(slot)
		table := historyOf(w.commit.topic)
		if w.historyEnd, err = slot.inserter.MaxOffset(w.stopped, table, w.commit.partition); err != nil {
			return err
		}
		if stored := kafka.TableEnd(metadata); w.historyEnd < stored {
			return permanent{fmt.Errorf("take over lane %d: %w: %s ends at offset %d, and rows up to %d were written; %s",
				w.commit.partition, clickhouse.ErrTablesLost, table, w.historyEnd, stored, clickhouse.AdviceTablesLost)}
		}
		in, ok := parseIntent(offset, metadata)
		if !ok {
			return nil
		}
		// One insert is one part: ClickHouse stores all of its rows or none. A history that ends within the batch has another
		// writer, and continuing would duplicate or lose rows.
		if in.history >= 0 && w.historyEnd >= in.first && w.historyEnd < in.history {
			return permanent{fmt.Errorf("take over lane %d: %s ends at offset %d, within the single insert of %d to %d: "+
				"another program writes to this table", w.commit.partition, table, w.historyEnd, in.first, in.history)}
		}
		w.unconfirmed = in.last
		// The whole batch must fit into memory, because its bounds are part of the tokens. Without the loan, batches of
		// other partitions could hold the budget while this one waits for its last record: a deadlock.
		w.p.budget.lend(w.p.cfg.MaxBytes)
		w.log.InfoContext(w.stopped, "batch taken over", slog.Int64("first", in.first), slog.Int64("last", in.last),
			slog.Bool("history_stored", in.history >= 0 && w.historyEnd >= in.history))
		return nil
	})
}

// forgetUnconfirmed ends the repetition of the previous worker's batch: the batch is written, or this worker stops and
// the next one finds the same intent.
func (w *worker) forgetUnconfirmed() {
	if w.unconfirmed >= 0 {
		w.unconfirmed = -1
		w.p.budget.lend(-w.p.cfg.MaxBytes)
	}
}

// historyOf returns the history table of a topic. Its highest offset shows how far the topic was written.
func historyOf(topic string) string {
	if topic == events.TopicDecisions {
		return tableDecisions
	}
	return tableEvents
}

// collect waits until there is a batch and returns its records, which stay in the queue until they are written.
func (w *worker) collect() ([]*kgo.Record, error) {
	cfg := w.p.cfg
	var first, last time.Time // When the first record arrived, and the latest.
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
		// An unconfirmed batch has no time limit: only its own bounds give the same tokens.
		if seen > 0 && w.unconfirmed < 0 {
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

// cut returns how many of the records are a batch, or 0 if it is worth waiting for more.
func (w *worker) cut(records []*kgo.Record, bytes int, end int64) int {
	if len(records) == 0 {
		return 0
	}
	if w.unconfirmed >= 0 && records[0].Offset > w.unconfirmed {
		w.skipUnconfirmed(records[0].Offset)
	}
	if w.unconfirmed >= 0 {
		return w.cutUnconfirmed(records)
	}
	cfg := w.p.cfg
	full := bytes >= cfg.MaxBytes || len(records) >= cfg.MaxRows
	if !full && records[len(records)-1].Offset+1 < end && !w.p.budget.full() {
		return 0
	}
	n := min(len(records), cfg.MaxRows)
	// A single record above the limit is a batch of its own, or the partition would stop here.
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

// skipUnconfirmed ends the repetition of the previous worker's batch because the topic no longer has any of its
// records, for example after an unclean election of a leader. Waiting for them would never end. The rows that the
// previous worker stored of them stay; the position moves behind the batch, so that the next one has tokens of its own.
func (w *worker) skipUnconfirmed(next int64) {
	w.log.WarnContext(w.stopped, "batch skipped, its records are gone from the topic", slog.Int64("first", w.position),
		slog.Int64("last", w.unconfirmed), slog.Int64("next", next))
	w.position = max(w.position, w.unconfirmed+1)
	w.forgetUnconfirmed()
}

// cutUnconfirmed cuts the batch of the previous worker, to the record.
func (w *worker) cutUnconfirmed(records []*kgo.Record) int {
	for i, r := range records {
		switch {
		case r.Offset == w.unconfirmed:
			return i + 1
		case r.Offset > w.unconfirmed:
			return i // Its last records are gone from the topic.
		}
	}
	return 0
}

// acknowledge commits the position to the group if no batch is about to do so with its intent.
func (w *worker) acknowledge() error {
	if w.acked == w.position || w.position < 0 {
		return nil
	}
	err := w.retry("acknowledge", func() error {
		return w.commit.commit(w.aborted, w.position, plain(w.historyEnd))
	})
	if err == nil {
		w.acked = w.position
	}
	return err
}

// leave acknowledges what is written before the partition moves to another member.
func (w *worker) leave() error {
	if w.aborted.Err() == nil && w.acked != w.position && w.position >= 0 {
		// It tries once: otherwise the next worker finds the last intent and repeats that batch, which takes time but does no
		// harm.
		if err := w.commit.commit(w.aborted, w.position, plain(w.historyEnd)); err != nil {
			w.log.WarnContext(w.aborted, "last position not acknowledged", slog.Any("err", err))
		}
	}
	return context.Cause(w.stopped)
}

// permanent is an error that a retry can't repair.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

const (
	retryFirst = 100 * time.Millisecond
	retryMax   = 10 * time.Second
)

// retry repeats f until it succeeds, the partition is revoked, or the error is permanent. It has no limit: a batch that
// is skipped during an outage would be a gap that nobody sees.
func (w *worker) retry(step string, f func() error) error {
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
		w.p.metrics.retries.WithLabelValues(step).Inc()
		w.log.WarnContext(w.stopped, "step failed", slog.String("step", step), slog.Duration("retry_in", wait),
			slog.Bool("disk_full", clickhouse.DiskFull(err)), slog.Any("err", err))
		select {
		case <-w.stopped.Done():
			return context.Cause(w.stopped)
		case <-time.After(wait):
		}
		wait = min(2*wait, retryMax)
	}
}
