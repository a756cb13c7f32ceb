package projector

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
)

// slot is a set of columns and a connection. There are as many as Config.Inserters, which bounds both the memory of
// columns and the load on the server, whatever the number of partitions.
type slot struct {
	batch    *batch
	inserter *clickhouse.Inserter
}

// slot takes a slot and waits for one if all are in use.
func (p *Projector) slot(ctx context.Context) (*slot, error) {
	select {
	case s := <-p.slots:
		return s, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *Projector) release(s *slot) { p.slots <- s }

// write writes a batch to all tables: it commits the intent, inserts, and then moves the position. When it returns nil,
// the records have left the queue.
func (w *worker) write(records []*kgo.Record) error {
	s, err := w.p.slot(w.stopped)
	if err != nil {
		return w.leave()
	}
	defer w.p.release(s)
	if w.position < 0 {
		w.position = records[0].Offset
	}
	in, n := s.batch.fill(w.position, w.historyEnd, records, w.unconfirmed >= 0)
	if w.unconfirmed >= 0 {
		// Exactly the previous bounds, even if the last records are gone by now: the bounds are part of the tokens.
		in.last = w.unconfirmed
	}
	// Transaction markers move the position and write nothing.
	if !s.batch.empty() {
		if err := w.retry("write", func() error { return w.attempt(s, in) }); err != nil {
			return err
		}
	}
	w.advance(s.batch, in, records[:n])
	w.queue.take(n)
	return nil
}

// attempt commits the intent and runs the inserts. It may be called again with the same batch after an error: the
// tokens make ClickHouse drop what it has stored already.
func (w *worker) attempt(s *slot, in intent) error {
	if err := w.commitIntent(in); err != nil {
		return err
	}
	for _, wr := range s.batch.writes() {
		rows := wr.table.Rows()
		if rows == 0 {
			continue
		}
		// An accepted intent means that no other worker has the partition, but only for a while: a process that was frozen
		// since then must not insert after the next worker has read the history's end.
		if !time.Now().Round(0).Before(w.lease) {
			if err := w.commitIntent(in); err != nil {
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

// commitIntent commits the intent. The same commit acknowledges the previous batch, so each batch costs one commit. The
// broker refuses it from a member that is no longer in the group, which is the fence.
func (w *worker) commitIntent(in intent) error {
	// The lease starts before the request, because the broker's session timer does. It is wall time (Round strips the
	// monotonic reading), because the monotonic clock stands still while a machine is suspended.
	lease := time.Now().Round(0).Add(w.p.cfg.SessionTimeout / 2)
	in.stored = w.historyEnd
	if err := w.commit.commit(w.aborted, in.first, in.String()); err != nil {
		return err
	}
	w.lease, w.acked = lease, in.first
	return nil
}

// sendLetters produces the dead letters of a batch to their topic.
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

// advance moves the position past a batch that is in all tables, and reports it. The group learns the position with the
// next intent, or from acknowledge.
func (w *worker) advance(b *batch, in intent, records []*kgo.Record) {
	w.position, w.historyEnd = in.last+1, max(w.historyEnd, in.history)
	w.forgetUnconfirmed()
	for _, l := range b.dead {
		w.log.WarnContext(w.stopped, "dead lettered", slog.Int64("offset", l.Offset), slog.String("reason", l.Reason))
	}
	_, _, end := w.queue.view()
	w.p.metrics.applied(w.commit.topic, w.commit.partition, len(b.dead), max(end-w.position, 0))
	if oldest, ok := oldestOf(records); ok {
		if waited := time.Since(oldest); waited >= 0 { // Otherwise another clock was ahead, and nobody knows.
			w.p.metrics.queryable.Observe(waited.Seconds())
		}
	}
	w.log.DebugContext(w.stopped, "batch inserted", slog.Int64("first", in.first), slog.Int64("last", in.last),
		slog.Int("records", len(records)), slog.Int("shipments", b.shipments.Rows()))
}

// oldestOf returns when the first record of a batch was decided, the one that waited longest. Only events say it; the
// timestamp of a record may be ahead of the clock. Transaction markers carry the time of the commit, not of an event.
func oldestOf(records []*kgo.Record) (time.Time, bool) {
	for _, r := range records {
		if r.Attrs.IsControl() {
			continue
		}
		for _, h := range r.Headers {
			if h.Key == events.HeaderDecidedAt {
				at, err := time.Parse(events.TimeFormat, string(h.Value))
				return at, err == nil
			}
		}
		return r.Timestamp, true
	}
	return time.Time{}, false
}
