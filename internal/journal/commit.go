package journal

import (
	"errors"
	"log/slog"
	"strconv"
	"time"
)

// recordError says that the broker rejected a record because of its content, and that the transaction was aborted.
type recordError struct{ err error }

func (e *recordError) Error() string { return "a record was rejected: " + e.err.Error() }
func (e *recordError) Unwrap() error { return e.err }

// committer decides inputs in batches, writes each batch in one transaction, and then applies it to the store.
type committer struct {
	l     *lane
	spare *batch // The last batch, whose memory the next one uses; nil for none.
}

// processFirst decides as many inputs as fit into one transaction, and puts the others back: inputs that arrive
// meanwhile must not wait for all of them. An error is as one of process.
func (c *committer) processFirst(inputs []*input) error {
	if len(inputs) == 0 {
		return nil
	}
	n, err := c.processSome(inputs)
	if err != nil {
		c.l.intake.giveBack(inputs)
		return err
	}
	c.l.intake.putBack(inputs[n:])
	return nil
}

// process decides inputs and commits the decisions, in as many transactions as it takes. When it returns an error the
// lane is lost, and the calls that have no answer yet are kept for the next takeover.
func (c *committer) process(inputs []*input) error {
	if len(inputs) == 0 {
		return nil
	}
	err := c.processAll(inputs)
	if err != nil {
		c.l.intake.giveBack(inputs)
	}
	return err
}

// processAll does the work of process but gives no calls back.
func (c *committer) processAll(inputs []*input) error {
	for len(inputs) > 0 {
		n, err := c.processSome(inputs)
		if err != nil {
			return err
		}
		inputs = inputs[n:]
	}
	return nil
}

// processSome decides as many inputs as fit into one transaction and returns their number. A rejected record fails the
// transaction of the whole batch, and the broker does not name the record, so it tries halves until the record is
// alone.
func (c *committer) processSome(inputs []*input) (int, error) {
	n, err := c.attempt(inputs)
	if rejected := (*recordError)(nil); errors.As(err, &rejected) {
		if n == 1 {
			err = c.isolate(inputs[0], rejected)
		} else if err = c.processAll(inputs[:n/2]); err == nil {
			err = c.processAll(inputs[n/2 : n])
		}
	}
	return n, err
}

// isolate decides the single input whose records the broker rejects. The rejected record may belong to an input that
// waits for the same shipment, so isolate first leaves those out; then it quarantines the input, with its body and at
// last without.
func (c *committer) isolate(in *input, rejected *recordError) error {
	tries := []func(){
		func() { in.noExpand = true },
		func() { in.forced = rejected.err },
		func() { in.bare = true },
	}
	for i, change := range tries {
		change()
		_, err := c.attempt([]*input{in})
		if err == nil {
			if i == 0 {
				return c.applyWaitingOf(in.record.ShipmentID)
			}
			c.l.log.Warn("input quarantined, the broker rejects its record", slog.String("shipment_id", in.record.ShipmentID),
				slog.Int64("inbox_offset", in.record.Offset), slog.Any("err", rejected.err))
			return nil
		}
		if !errors.As(err, &rejected) {
			return err
		}
	}
	return &lostError{err: rejected}
}

// attempt decides as many inputs as fit into one transaction, commits it, puts it into the store and answers. It
// returns how many inputs it took.
func (c *committer) attempt(inputs []*input) (int, error) {
	l, m := c.l, c.l.j.metrics
	b := c.newBatch()
	n, err := b.build(inputs)
	if lost := (*lostError)(nil); errors.As(err, &lost) {
		return 0, err
	}
	if err != nil {
		return 0, &lostError{err: err, store: true}
	}
	began := time.Now()
	if len(b.decisionRecs) > 0 {
		err = l.writer.commit(b)
	}
	if rejected := (*recordError)(nil); errors.As(err, &rejected) {
		m.batches.WithLabelValues("aborted").Inc()
		c.spare = b // The abort was confirmed: the client holds its records no longer.
		return n, err
	}
	if err != nil {
		m.batches.WithLabelValues("unknown").Inc()
		if unknown := (*unknownError)(nil); errors.As(err, &unknown) {
			for _, in := range inputs[:n] {
				in.inDoubt = true
			}
		}
		return n, err
	}
	if len(b.decisionRecs) > 0 {
		m.batches.WithLabelValues("committed").Inc()
		m.commit.Observe(time.Since(began).Seconds())
		m.inputs.Observe(float64(n))
		l.j.hooks.committed(l.id)
	}
	// From here on the batch is durable. A store that can't be written is rebuilt; the answers stay valid.
	err = c.keep(b)
	l.j.hooks.stored(l.id)
	l.answers.settled(b)
	c.spare = b
	if more := b.more; more != "" && err == nil {
		err = c.applyWaitingOf(more)
	}
	return n, err
}

// keep puts a committed batch into the store.
func (c *committer) keep(b *batch) error {
	l := c.l
	l.inboxNext = b.inboxNext
	for offset := range l.ahead {
		if offset < l.inboxNext {
			delete(l.ahead, offset)
		}
	}
	if len(b.decisionRecs) > 0 {
		sb := l.store.Begin()
		err := b.store(sb)
		if err == nil {
			err = sb.Commit()
		}
		if err != nil {
			return &lostError{err: err, store: true}
		}
	}
	b.keepWaiting()
	// Only now: a reader that sees the position must find what was decided below it.
	l.inbox.Store(l.inboxNext)
	return nil
}

// applyWaiting decides again the inputs that wait for a shipment that is known. It finds some only if a batch was left
// incomplete: because an embedded broker was killed, or a broker rejected a record.
func (c *committer) applyWaiting() error {
	if c.l.store.Meta().Waiting == 0 {
		return nil
	}
	var ids []string
	err := c.l.store.WaitingShipments(func(id string) error {
		ok, err := c.l.store.HasState(id)
		if ok {
			ids = append(ids, id)
		}
		return err
	})
	if err != nil {
		return &lostError{err: err, store: true}
	}
	for _, id := range ids {
		if err := c.applyWaitingOf(id); err != nil {
			return err
		}
	}
	return nil
}

// applyWaitingOf decides again the inputs that wait for one shipment, in their order.
func (c *committer) applyWaitingOf(id string) error {
	list, err := c.l.store.WaitingFor(id)
	if err != nil {
		return &lostError{err: err, store: true}
	}
	for len(list) > 0 {
		n := c.l.waits.fit(list)
		inputs, err := c.l.waits.inputs(list[:n], false)
		if err == nil {
			err = c.process(inputs)
		}
		if err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// observe sets the lane's gauges.
func (l *lane) observe() {
	lane := strconv.Itoa(int(l.id))
	l.j.metrics.waiting.WithLabelValues(lane).Set(float64(l.store.Meta().Waiting))
	l.j.metrics.inboxLag.WithLabelValues(lane).Set(float64(max(0, l.end.Load()-l.inboxNext)))
}
