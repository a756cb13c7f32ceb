package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// A coordinator of Apache Kafka that starts before a partition has a leader can take the partition for deleted, skip
// its marker, and call the transaction complete (KAFKA-20734; 4.3.0 has it). The partition then has an open transaction
// that nobody will ever end, and readers stop before it. Only the coordinator still knows the outcome, and only until
// the id is fenced. So a takeover looks for lost markers before it fences, and writes them.

// writeLostMarkers writes the missing markers of transactions that the coordinator has ended, and returns how many. It
// acts only on certain outcomes. After an error the lane must not be fenced yet. If this instance has no right to look
// for markers, the takeover continues without: most clusters never lose one.
func (t *takeover) writeLostMarkers(ctx context.Context) (int, error) {
	if t.l.j.cfg.Embedded {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.l.j.cfg.TakeoverTimeout)
	defer cancel()
	lost, err := t.lostMarkers(ctx)
	if isForbidden(err) {
		t.l.log.WarnContext(ctx, "lost markers not checked",
			slog.String("needs", "DESCRIBE on the transactional ids and READ on the topics"), slog.Any("err", err))
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for lost markers: %w", err)
	}
	for _, m := range lost {
		if err := t.writeMarker(ctx, m); err != nil {
			if !isForbidden(err) {
				return 0, fmt.Errorf("lost marker of producer %d in %s lane %d: %w", m.pid, m.topic, t.l.id, err)
			}
			// Only an operator can write it, and the fence would destroy the outcome.
			return 0, fmt.Errorf("%s lane %d has a transaction of producer %d whose marker the broker lost (committed: %t); "+
				"writing it needs CLUSTER_ACTION on the cluster: %w", m.topic, t.l.id, m.pid, m.commit, err)
		}
		t.l.j.metrics.repaired.WithLabelValues("marker").Inc()
		t.l.log.WarnContext(ctx, "lost marker of a transaction written", slog.String("lost_in", m.topic),
			slog.Int64("producer_id", m.pid), slog.Bool("committed", m.commit))
	}
	return len(lost), nil
}

func isForbidden(err error) bool {
	var auth *kadm.AuthError
	return errors.As(err, &auth) || errors.Is(err, kerr.TransactionalIDAuthorizationFailed) ||
		errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}

// lostMarker is a marker that a partition of the lane never got.
type lostMarker struct {
	topic       string
	pid         int64
	epoch       int16
	coordinator int32
	commit      bool
}

func (t *takeover) lostMarkers(ctx context.Context) ([]lostMarker, error) {
	open, err := t.hasOpen(ctx)
	if err != nil || !open {
		return nil, err
	}
	// Ask the coordinator first: if it calls a transaction complete now, every partition must have the marker by the next
	// request.
	txns, err := t.endedTransactions(ctx)
	if err != nil || len(txns) == 0 {
		return nil, err
	}
	var topics kadm.TopicsSet
	topics.Add(events.TopicEvents, t.l.id)
	topics.Add(events.TopicDecisions, t.l.id)
	producers, err := kadm.NewClient(t.l.j.topics.client).DescribeProducers(ctx, topics)
	if err != nil {
		return nil, fmt.Errorf("describe producers: %w", err)
	}
	var lost []lostMarker
	for _, txn := range txns {
		producers.EachProducer(func(p kadm.DescribedProducer) {
			// Each end raises the epoch by one (KIP-890), so only an open transaction of the epoch before is the one that ended
			// in this state. The coordinator no longer knows the outcome of an older one.
			if p.ProducerID == txn.ProducerID && p.CurrentTxnStartOffset >= 0 && p.ProducerEpoch == txn.ProducerEpoch-1 {
				lost = append(lost, lostMarker{
					topic: p.Topic, pid: p.ProducerID, epoch: txn.ProducerEpoch, coordinator: max(p.CoordinatorEpoch, 0),
					commit: txn.State == completeCommit,
				})
			}
		})
	}
	return lost, nil
}

const (
	completeCommit = "CompleteCommit"
	completeAbort  = "CompleteAbort"
)

// endedTransactions describes the lane's transactional ids whose last transaction is complete. It waits for a
// transaction that is ending: its markers may still be on their way, or be lost.
func (t *takeover) endedTransactions(ctx context.Context) ([]kadm.DescribedTransaction, error) {
	aa, bb := kafka.LaneTransactionalIDs(t.l.j.cfg.Prefix, t.l.id)
	for {
		described, err := kadm.NewClient(t.l.j.topics.client).DescribeTransactions(ctx, aa, bb)
		if err != nil {
			return nil, fmt.Errorf("describe transactions: %w", err)
		}
		var ended []kadm.DescribedTransaction
		ending := false
		for _, txn := range described {
			switch {
			case errors.Is(txn.Err, kerr.TransactionalIDNotFound):
			case txn.Err != nil:
				return nil, fmt.Errorf("describe transaction %s: %w", txn.TxnID, txn.Err)
			case txn.State == completeCommit, txn.State == completeAbort:
				ended = append(ended, txn)
			case strings.HasPrefix(txn.State, "Prepare"):
				ending = true
			}
		}
		if !ending {
			return ended, nil
		}
		if wait(ctx, 20*time.Millisecond); ctx.Err() != nil {
			return nil, fmt.Errorf("wait for a transaction to end: %w", ctx.Err())
		}
	}
}

// hasOpen reports whether an open transaction keeps readers from the end of the lane's events or decisions.
func (t *takeover) hasOpen(ctx context.Context) (bool, error) {
	stable, err := t.l.j.topics.stableSpans(ctx, t.l.id)
	if err != nil {
		return false, err
	}
	all, err := t.l.j.topics.spans(ctx, t.l.id)
	if err != nil {
		return false, err
	}
	for _, topic := range []string{events.TopicEvents, events.TopicDecisions} {
		if stable[topic].end < all[topic].end {
			return true, nil
		}
	}
	return false, nil
}

func (t *takeover) writeMarker(ctx context.Context, m lostMarker) error {
	var topics kadm.TopicsSet
	topics.Add(m.topic, t.l.id)
	written, err := kadm.NewClient(t.l.j.topics.client).WriteTxnMarkers(ctx, kadm.TxnMarkers{
		ProducerID: m.pid, ProducerEpoch: m.epoch, Commit: m.commit, CoordinatorEpoch: m.coordinator, Topics: topics,
	})
	if err != nil {
		return fmt.Errorf("write the marker: %w", err)
	}
	of, ok := written[m.pid].Topics[m.topic].Partitions[t.l.id]
	if !ok {
		return errors.New("write the marker: no answer for the partition")
	}
	if of.Err != nil {
		return fmt.Errorf("write the marker: %w", of.Err)
	}
	return nil
}
