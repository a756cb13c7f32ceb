package projector

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/clickhouse"
)

// slot is what a batch is written with: columns and a connection.
type slot struct {
	batch    *batch
	inserter *clickhouse.Inserter
}

// slot takes a slot, waiting for one that is free.
func (p *Projector) slot(ctx context.Context) (*slot, error) {
	select {
	case s := <-p.slots:
		return s, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *Projector) release(s *slot) { p.slots <- s }

// write brings a batch into all tables: intent, inserts, and then the position. When it returns nil the records have
// left the queue.
func (w *worker) write(records []*kgo.Record) error {
	s, err := w.p.slot(w.stopped)
	if err != nil {
		return w.leave()
	}
	defer w.p.release(s)
	if w.position < 0 {
		w.position = records[0].Offset
	}
	in, n := s.batch.fill(w.position, w.landed, records, w.recover >= 0)
	if w.recover >= 0 {
		// Exactly the bounds of before, also where its last records are gone: they are part of the tokens.
		in.last = w.recover
	}
	// Markers of transactions and the like move the position and write nothing.
	if !s.batch.empty() {
		if err := w.retry("write", func() error { return w.attempt(s, in) }); err != nil {
			return err
		}
	}
	w.applied(s.batch, in, records[:n])
	w.queue.take(n)
	return nil
}

// attempt states the intent and makes the inserts. It may be called again with the same batch after an error: the
// tokens make what has landed a no-op.
func (w *worker) attempt(s *slot, in intent) error {
	if err := w.intend(in); err != nil {
		return err
	}
	for _, wr := range s.batch.writes() {
		rows := wr.table.Rows()
		if rows == 0 {
			continue
		}
		// The intent says that nobody else has the partition, but only for a time: a process that was frozen in between
		// must not insert after its successor has looked.
		if !time.Now().Round(0).Before(w.lease) {
			if err := w.intend(in); err != nil {
				return err
			}
		}
		start := time.Now()
		if err := s.inserter.Insert(w.aborted, wr.table, wr.token(w.commit.topic, w.commit.partition, in)); err != nil {
			w.p.metrics.insertErrors.WithLabelValues(wr.table.Name).Inc()
			return err
		}
		w.p.metrics.inserted(wr.table.Name, rows, time.Since(start))
	}
	return w.sendLetters(s.batch)
}

// intend commits the intent. It acknowledges the batch before, and the broker's check of the membership is the fence.
func (w *worker) intend(in intent) error {
	// The lease counts from before the request, by wall time: a monotonic clock stands still while a machine sleeps.
	lease := time.Now().Round(0).Add(w.p.cfg.SessionTimeout / 2)
	if err := w.commit.commit(w.aborted, in.first, in.String()); err != nil {
		return err
	}
	w.lease, w.acked = lease, in.first
	return nil
}

// sendLetters puts the dead letters of a batch into their topic.
func (w *worker) sendLetters(b *batch) error {
	if len(b.dead) == 0 {
		return nil
	}
	records := make([]*kgo.Record, len(b.dead))
	for i, l := range b.dead {
		records[i] = l.Record()
	}
	if err := w.commit.client.ProduceSync(w.aborted, records...).FirstErr(); err != nil {
		return fmt.Errorf("produce %d dead letters: %w", len(records), err)
	}
	return nil
}

// applied moves the position and tells about the batch.
func (w *worker) applied(b *batch, in intent, records []*kgo.Record) {
	w.position, w.landed = in.last+1, max(w.landed, in.history)
	w.recovered()
	for _, l := range b.dead {
		w.log.WarnContext(w.stopped, "dead lettered", slog.Int64("offset", l.Offset), slog.String("reason", l.Reason))
	}
	_, _, end := w.queue.view()
	w.p.metrics.applied(w.commit.topic, w.commit.partition, len(b.dead), max(end-w.position, 0))
	if oldest, ok := oldestOf(records); ok {
		w.p.metrics.queryable.Observe(time.Since(oldest).Seconds())
	}
	w.log.DebugContext(w.stopped, "batch inserted", slog.Int64("first", in.first), slog.Int64("last", in.last),
		slog.Int("records", len(records)), slog.Int("shipments", b.shipments.Rows()))
}

// oldestOf returns when the first record of a batch was recorded: the one that waited longest.
func oldestOf(records []*kgo.Record) (time.Time, bool) {
	for _, r := range records {
		if !r.Attrs.IsControl() {
			return r.Timestamp, true
		}
	}
	return time.Time{}, false
}
