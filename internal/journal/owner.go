package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/kafka"
)

// owner is the right to write a lane: a fenced client for each of its two transactional ids. It is made by fence and
// never mended; what goes wrong with it ends it.
type owner struct {
	producers [2]*kgo.Client // Aa, BB.
	turn      int            // Whose the next transaction is.
	timeout   time.Duration
	inbox     *inboxReader // Nil until the lane opens.

	mu  sync.Mutex
	err error // The first error of a record of the transaction at hand; guarded by mu.
}

// fence makes new clients for both ids and takes the ids, Aa before BB. New ones, because a live client answers from
// its memory, even after it was fenced; in this order, because two owners that fence crosswise could both go on.
func (l *lane) fence(ctx context.Context) (*owner, error) {
	o := &owner{timeout: l.j.cfg.TransactionTimeout}
	aa, bb := kafka.LaneTransactionalIDs(l.j.cfg.Prefix, l.id)
	for i, id := range []string{aa, bb} {
		client, err := kgo.NewClient(append(append([]kgo.Opt{}, l.j.deps.Options...),
			kgo.TransactionalID(id),
			kgo.TransactionTimeout(l.j.cfg.TransactionTimeout),
			kafka.ManualPartitions(),
			// All records of a batch go out in one request, when they are flushed.
			kgo.ManualFlushing(),
			kgo.MaxBufferedRecords(4*l.j.cfg.MaxBatch+100_000),
			kgo.ProducerBatchCompression(kgo.NoCompression()),
		)...)
		if err == nil {
			o.producers[i] = client
			_, _, err = client.ProducerID(ctx)
		}
		if err != nil {
			o.close()
			return nil, fmt.Errorf("fence %s: %w", id, err)
		}
	}
	return o, nil
}

func (o *owner) close() {
	if o.inbox != nil {
		o.inbox.close()
	}
	for _, p := range o.producers {
		if p != nil {
			p.Close()
		}
	}
}

// unknownError says that a commit was asked for and its outcome is not known. The lane is lost with it.
type unknownError struct{ lost *lostError }

func (e *unknownError) Error() string { return "outcome unknown: " + e.lost.Error() }
func (e *unknownError) Unwrap() error { return e.lost }

// commit writes a batch in one transaction. An error is a culpritError, after which the id is kept and the lane goes
// on; an unknownError; or a lostError, after which nothing of the batch can become visible.
//
// It has no context: a transaction in hand is ended, and the time it may take is bounded by the transaction's timeout.
func (o *owner) commit(b *batch) error {
	ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
	defer cancel()
	client := o.producers[o.turn]
	if err := client.BeginTransaction(); err != nil {
		return lost(fmt.Errorf("begin: %w", err))
	}
	o.mu.Lock()
	o.err = nil
	o.mu.Unlock()
	b.records(func(r *kgo.Record) { client.Produce(ctx, r, o.promise) })
	if err := client.Flush(ctx); err != nil {
		return lost(fmt.Errorf("produce: %w", errors.Join(err, o.failure())))
	}
	if err := o.failure(); err != nil {
		return o.abort(ctx, client, err)
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		gone := lost(fmt.Errorf("commit: %w", err))
		if errors.Is(err, kerr.OperationNotAttempted) {
			return gone
		}
		// Also when it says fenced: the client may have asked twice, and been fenced in between.
		return &unknownError{gone}
	}
	// Only now: a turn passed on after an abort or a doubt would let two owners commit side by side.
	o.turn = 1 - o.turn
	return nil
}

// promise is called for every record, also concurrently with Flush.
func (o *owner) promise(_ *kgo.Record, err error) {
	if err == nil {
		return
	}
	o.mu.Lock()
	if o.err == nil || isFenced(err) {
		o.err = err
	}
	o.mu.Unlock()
}

func (o *owner) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// abort ends the transaction after a record failed. Only where the broker refused a record for what it is, and the
// abort is confirmed, does the owner keep its id; the turn stays with it.
func (o *owner) abort(ctx context.Context, client *kgo.Client, cause error) error {
	if !isCulprit(cause) {
		// The clients are closed and the next takeover's fence aborts what is open.
		return lost(fmt.Errorf("produce: %w", cause))
	}
	if err := client.EndTransaction(ctx, kgo.TryAbort); err != nil {
		return lost(fmt.Errorf("abort: %w", err))
	}
	return &culpritError{cause}
}

func lost(err error) *lostError { return &lostError{err: err, fenced: isFenced(err)} }
