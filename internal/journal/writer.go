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

// writer is the right to write a lane: a fenced client for each of its two transactional ids. It is made by fence and
// never repaired; any failure retires it.
type writer struct {
	producers [2]*kgo.Client // Aa, BB.
	turn      int            // The index of the producer that writes the next transaction.
	timeout   time.Duration
	inbox     *inboxReader // Nil until the lane opens.

	mu  sync.Mutex
	err error // The first error of a record of the transaction at hand; guarded by mu.
}

// fence makes new clients for both ids and takes the ids, Aa before BB. New ones, because a live client answers
// ProducerID from its memory, even after it was fenced; in this order, because two owners that fence crosswise could
// each hold one id, and both commit.
func fence(ctx context.Context, cfg *Config, options []kgo.Opt, lane int32) (*writer, error) {
	w := &writer{timeout: cfg.TransactionTimeout}
	aa, bb := kafka.LaneTransactionalIDs(cfg.Prefix, lane)
	for i, id := range []string{aa, bb} {
		client, err := kgo.NewClient(append(append([]kgo.Opt{}, options...),
			kgo.TransactionalID(id),
			kgo.TransactionTimeout(cfg.TransactionTimeout),
			kafka.ManualPartitions(),
			// All records of a batch go out in one request, when they are flushed.
			kgo.ManualFlushing(),
			kgo.MaxBufferedRecords(4*cfg.MaxBatch+100_000),
			kafka.Compressed(),
		)...)
		if err == nil {
			w.producers[i] = client
			_, _, err = client.ProducerID(ctx)
		}
		if err != nil {
			w.close()
			return nil, fmt.Errorf("fence %s: %w", id, err)
		}
	}
	return w, nil
}

func (w *writer) close() {
	if w.inbox != nil {
		w.inbox.close()
	}
	for _, p := range w.producers {
		if p != nil {
			p.Close()
		}
	}
}

// unknownError says that a commit was requested and its outcome is not known. The lane is lost with it.
type unknownError struct{ lost *lostError }

func (e *unknownError) Error() string { return "outcome unknown: " + e.lost.Error() }
func (e *unknownError) Unwrap() error { return e.lost }

// commit writes a batch in one transaction. Its error is a recordError, after which the writer can be used again; an
// unknownError; or a lostError, after which nothing of the batch can become visible.
//
// It has no context: an instance that stops finishes its transaction, which the transaction's timeout bounds.
func (w *writer) commit(b *batch) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.timeout)
	defer cancel()
	client := w.producers[w.turn]
	if err := client.BeginTransaction(); err != nil {
		return lost(fmt.Errorf("begin: %w", err))
	}
	w.mu.Lock()
	w.err = nil
	w.mu.Unlock()
	b.records(func(r *kgo.Record) { client.Produce(ctx, r, w.promise) })
	if err := client.Flush(ctx); err != nil {
		return lost(fmt.Errorf("produce: %w", errors.Join(err, w.failure())))
	}
	if err := w.failure(); err != nil {
		return w.abort(ctx, client, err)
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		gone := lost(fmt.Errorf("commit: %w", err))
		if errors.Is(err, kerr.OperationNotAttempted) {
			return gone
		}
		// Also when the error is a fence: the client may have sent the request twice, and been fenced after the first.
		return &unknownError{gone}
	}
	// Only now: a turn that passes after an abort or an unknown outcome would let two owners commit side by side.
	w.turn = 1 - w.turn
	return nil
}

// promise notes a failed record. The client calls it for every record, also concurrently with Flush. A fence replaces
// another error, because it decides what the lane does next.
func (w *writer) promise(_ *kgo.Record, err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	if w.err == nil || isFenced(err) {
		w.err = err
	}
	w.mu.Unlock()
}

func (w *writer) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// abort ends the transaction after a record failed. The writer stays usable only if the broker rejected a record
// because of its content and confirms the abort; the turn then stays with the same id.
func (w *writer) abort(ctx context.Context, client *kgo.Client, cause error) error {
	if errors.Is(cause, kerr.InvalidTimestamp) {
		cause = fmt.Errorf("%w: %w", ErrTimestamp, cause)
	}
	if !isRejected(cause) {
		// The clients will be closed, and the fence of the next takeover aborts the open transaction.
		return lost(fmt.Errorf("produce: %w", cause))
	}
	if err := client.EndTransaction(ctx, kgo.TryAbort); err != nil {
		return lost(fmt.Errorf("abort: %w", err))
	}
	return &recordError{cause}
}
