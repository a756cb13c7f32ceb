package journal

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// A fact whose shipment is not known waits. The lane store has only its place: its content is in the decision that
// recorded it. Most facts wait for seconds, because two notifications overtook each other, so the lane keeps the
// content of the last ones in memory, and reads the others from the decisions before it decides a batch.

// heldInput is a waiting input and its content, nil if that has to be read from the decisions.
type heldInput struct {
	lanestore.Waiting
	record *InboxRecord
}

// waitingRecords has the content of waiting inputs, for the lane's goroutine.
type waitingRecords struct {
	l      *lane
	recent map[uint64]*InboxRecord // By the decisionseq; at most recentBytes.
	order  []uint64                // Of recent, oldest first.
	bytes  int
	missed uint64 // The decisionseq of the last input that was not where the store says, 0 for none.
}

const (
	// recentBytes bounds the content of waiting inputs that a lane keeps in memory.
	recentBytes = 1 << 20
	// readThrough is the distance between two decisions up to which reading the ones between them costs less than another
	// fetch.
	readThrough = 1024
)

// put keeps the content of an input that has just begun to wait.
func (w *waitingRecords) put(seq uint64, r InboxRecord) {
	r.Body = bytes.Clone(r.Body) // It is part of a larger buffer of the client.
	w.recent[seq] = &r
	w.order = append(w.order, seq)
	w.bytes += recordBytes(&r)
	for w.bytes > recentBytes {
		w.bytes -= recordBytes(w.recent[w.order[0]])
		delete(w.recent, w.order[0])
		w.order = w.order[1:]
	}
}

func recordBytes(r *InboxRecord) int {
	n := 512 + len(r.ShipmentID) + len(r.Key) + len(r.CorrelationID) + len(r.AuthID) + len(r.Body)
	for _, id := range r.Sellers { // Of a sender that speaks for thousands they are larger than the body.
		n += 16 + len(id)
	}
	return n
}

// clear forgets everything: another owner may have written other decisions under the same numbers.
func (w *waitingRecords) clear() {
	w.recent, w.order, w.bytes = map[uint64]*InboxRecord{}, nil, 0
}

// fit returns how many of the inputs one batch can hold, at least one if there are any.
func (w *waitingRecords) fit(list []lanestore.Waiting) int {
	cfg, size := &w.l.j.cfg, 0
	for i := range list {
		if size += list[i].Bytes; i > 0 && (i >= cfg.MaxBatch || size > cfg.MaxBatchBytes) {
			return i
		}
	}
	return len(list)
}

// load returns the content of waiting inputs by their decisionseq. It reads the decisions that are not in memory in the
// order of their offsets, neighbours together.
func (w *waitingRecords) load(list []lanestore.Waiting) (map[uint64]*InboxRecord, error) {
	found := make(map[uint64]*InboxRecord, len(list))
	byOffset := map[int64]*lanestore.Waiting{}
	var offsets []int64
	for i := range list {
		if r := w.recent[list[i].Seq]; r != nil {
			found[list[i].Seq] = r
			continue
		}
		byOffset[list[i].Decision] = &list[i]
		offsets = append(offsets, list[i].Decision)
	}
	slices.SortFunc(offsets, cmp.Compare[int64])
	for len(offsets) > 0 {
		n := 1
		for n < len(offsets) && offsets[n]-offsets[n-1] <= readThrough {
			n++
		}
		if err := w.read(offsets[0], offsets[n-1]+1, byOffset, found); err != nil {
			return nil, lost(fmt.Errorf("read waiting inputs: %w", err))
		}
		offsets = offsets[n:]
	}
	for i := range list {
		if found[list[i].Seq] == nil {
			return nil, w.miss(&list[i])
		}
	}
	return found, nil
}

// miss returns the error for an input that is not where the store says. The store is only a cache, so it is built again
// from the lane, which checks the lane. If the same input is then missed again, the lane is damaged.
func (w *waitingRecords) miss(of *lanestore.Waiting) error {
	err := fmt.Errorf("%s lane %d offset %d is not decision %d of shipment %s, which holds a waiting input",
		events.TopicDecisions, w.l.id, of.Decision, of.Seq, of.ShipmentID)
	if w.missed == of.Seq {
		return lost(fmt.Errorf("%w: %w", ErrDamaged, err))
	}
	w.missed = of.Seq
	return &lostError{err: err, store: true}
}

// read reads a range of the decisions for the content of waiting inputs. It needs no isolation: each of them was
// committed before the store had it, and the last transaction's marker may not be there yet.
func (w *waitingRecords) read(
	from, to int64, byOffset map[int64]*lanestore.Waiting, found map[uint64]*InboxRecord,
) error {
	w.l.j.metrics.waitingReads.Inc()
	// A batch in hand is finished also when the lane is stopped. There is no limit but that of scan, without progress: a
	// lane whose read always came to the same limit would never open again.
	ctx := context.Background()
	return w.l.j.topics.scanWith(ctx, events.TopicDecisions, w.l.id, from, to,
		func(rec *kgo.Record) error {
			of := byOffset[rec.Offset]
			if of == nil {
				return nil
			}
			env, d, _, err := events.DecodeDecision(kafka.EventRecord(rec))
			if err != nil || d == nil || env.LaneSeq != of.Seq || env.ShipmentID != of.ShipmentID {
				return nil //nolint:nilerr // It is missed, whatever it is.
			}
			r := lanestore.InboxRecordOf(&env, d)
			found[of.Seq] = &r
			return nil
		},
		kgo.FetchIsolationLevel(kgo.ReadUncommitted()),
		kgo.FetchMaxPartitionBytes(int32(min(max(64<<10, (to-from)<<10), 1<<20))), // What is behind them would be dropped.
	)
}

// inputs returns waiting inputs to be decided again.
func (w *waitingRecords) inputs(list []lanestore.Waiting, expired bool) ([]*input, error) {
	found, err := w.load(list)
	if err != nil {
		return nil, err
	}
	inputs := make([]*input, len(list))
	for i := range list {
		inputs[i] = w.l.waitingInput(&heldInput{list[i], found[list[i].Seq]}, expired)
	}
	return inputs, nil
}

// loadWaiting reads the inputs that wait for the shipments of a batch, and returns the inputs whose waiting ones fit.
// It decides inputs of such shipments once more, only to see whether they give events: thousands of further facts of an
// unknown shipment must not read all that wait for it, each time.
func (b *batch) loadWaiting(inputs []*input) ([]*input, error) {
	if b.l.store.Meta().Waiting == 0 {
		return inputs, nil
	}
	var all []lanestore.Waiting
	seen := map[string]bool{}
	for i, in := range inputs {
		id := in.record.ShipmentID
		if in.waiting != nil || seen[id] {
			continue
		}
		tally, err := b.tally(id)
		if err != nil {
			return nil, err
		}
		if tally.Count == 0 {
			continue
		}
		state, err := b.state(id)
		if err != nil {
			return nil, err
		}
		if len(b.l.decider.run(in, state, b.times).Events) == 0 {
			continue
		}
		seen[id] = true
		list, err := b.l.store.WaitingFor(id)
		if err != nil {
			return nil, err
		}
		if n := b.l.waits.fit(append(slices.Clip(all), list...)); n < len(all)+len(list) {
			if i > 0 {
				inputs = inputs[:i]
				break
			}
			list = list[:n]
		}
		all = append(all, list...)
	}
	var err error
	if len(all) > 0 {
		b.loaded, err = b.l.waits.load(all)
	}
	return inputs, err
}

// tally returns how many inputs wait for a shipment, those of this batch included.
func (b *batch) tally(id string) (lanestore.Tally, error) {
	t, ok := b.tallies[id]
	if ok || b.l.store.Meta().Waiting == 0 {
		return t, nil
	}
	t, err := b.l.store.WaitingTally(id)
	if err == nil {
		b.tallies[id] = t
	}
	return t, err
}

// senderID names the facts of one sender that wait for a shipment.
type senderID struct {
	shipmentID string
	sender     lanestore.Sender
}

// senderTally returns how many inputs of a sender wait for a shipment, those of this batch included.
func (b *batch) senderTally(id senderID) (lanestore.Tally, error) {
	t, ok := b.senders[id]
	if ok || b.l.store.Meta().Waiting == 0 {
		return t, nil
	}
	t, err := b.l.store.SenderTally(id.shipmentID, id.sender)
	if err == nil {
		b.senders[id] = t
	}
	return t, err
}

// capOfAll is how many times the cap of one sender the facts of all senders may take that wait for one shipment.
const capOfAll = 10

// fullFor reports whether no further fact may wait beside those of a tally.
func (c *Config) fullFor(t lanestore.Tally, size, times int) bool {
	return t.Count >= times*c.WaitingCount || t.Bytes+size > times*c.WaitingBytes
}

// hold makes an input wait, if it can be held. The cap is for each sender, since another one that fills it must not
// keep the facts of the shipment's seller out; the cap of all bounds the shipment where anybody may name any seller.
func (b *batch) hold(s *step) error {
	in, cfg := s.in, &b.l.j.cfg
	id, size := in.record.ShipmentID, lanestore.HeldBytes(in.record.Body, in.record.Sellers)
	from := senderID{id, in.sender()}
	tally, err := b.tally(id)
	if err != nil {
		return err
	}
	own, err := b.senderTally(from)
	switch {
	case err != nil:
		return err
	case in.call != nil:
		s.d.Outcome = ledgerv1.Outcome_OUTCOME_QUARANTINED // It has no body to hold; its caller learns the outcome.
	case len(in.record.Body) > cfg.MaxDecisionBody:
		s.d = in.refuse(shipment.ReasonTooLarge, "its shipment is not known, and it is too large to be held until it is")
	case cfg.fullFor(own, size, 1) || cfg.fullFor(tally, size, capOfAll):
		s.d = in.refuse(shipment.ReasonOverCap, fmt.Sprintf(
			"its shipment is not known, and %d facts of %d bytes wait for it, %d of %d bytes from this sender",
			tally.Count, tally.Bytes, own.Count, own.Bytes))
	default:
		b.tallies[id], b.senders[from] = tally.Add(size), own.Add(size)
		w := lanestore.Waiting{
			ShipmentID: id, Seq: b.nextDecision(), Inbox: in.record.Offset, Sender: from.sender, Bytes: size,
		}
		b.waiting[id] = append(b.waiting[id], &heldInput{w, &in.record})
	}
	return nil
}

// waitingFor returns the inputs that wait for a shipment, oldest first, as this batch sees it.
func (b *batch) waitingFor(id string) ([]*heldInput, error) {
	var list []*heldInput
	tally, err := b.tally(id)
	if err != nil || tally.Count == 0 {
		return nil, err
	}
	stored, err := b.l.store.WaitingFor(id)
	if err != nil {
		return nil, err
	}
	for i := range stored {
		if !b.ended[stored[i].Inbox] {
			list = append(list, &heldInput{stored[i], b.loaded[stored[i].Seq]})
		}
	}
	for _, w := range b.waiting[id] {
		if !b.ended[w.Inbox] {
			list = append(list, w)
		}
	}
	return list, nil
}

// keepWaiting keeps the content of the inputs that began to wait in a committed batch.
func (b *batch) keepWaiting() {
	for _, list := range b.waiting {
		for _, w := range list {
			if !b.ended[w.Inbox] {
				b.l.waits.put(w.Seq, *w.record)
			}
		}
	}
}
