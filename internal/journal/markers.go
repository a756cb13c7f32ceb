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

// A coordinator of Apache Kafka that comes up before the leader of a partition can take that partition for deleted,
// skip its marker, and hold the transaction for complete (KAFKA-20734; 4.3.0 has it). The partition then has an open
// transaction that nobody will ever end: readers stop before it. Its outcome is still known, to the coordinator alone,
// and only until the id is fenced, which makes the coordinator forget. So whoever takes a lane over looks for that
// first, and writes what is missing.

// writeLostMarkers ends the lane's transactions whose coordinator has ended them without telling a partition. It
// changes nothing that is not certain. An error says that it could not be found out now, and that the lane must not be
// fenced yet; where this instance may not ask, the takeover goes on as without it.
func (t *takeover) writeLostMarkers(ctx context.Context) error {
	if t.l.j.cfg.Embedded {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.l.j.cfg.TakeoverTimeout)
	defer cancel()
	lost, err := t.lostMarkers(ctx)
	if isForbidden(err) {
		t.l.log.WarnContext(ctx, "not known whether a transaction lost its marker: DESCRIBE on the transactional ids and READ on the "+
			"topics are needed", slog.Any("err", err))
		return nil
	}
	if err != nil {
		return fmt.Errorf("before the fence: %w", err)
	}
	for _, m := range lost {
		if err := t.writeMarker(ctx, m); err != nil {
			if !isForbidden(err) {
				return fmt.Errorf("lost marker of producer %d in %s lane %d: %w", m.pid, m.topic, t.l.id, err)
			}
			// Only an operator can, and the fence would take the outcome away.
			return fmt.Errorf("%s lane %d has a transaction of producer %d whose marker the broker lost (committed: %t); writing it needs "+
				"CLUSTER_ACTION on the cluster: %w", m.topic, t.l.id, m.pid, m.commit, err)
		}
		t.l.j.metrics.repaired.WithLabelValues("marker").Inc()
		t.l.log.WarnContext(ctx, "lost marker of a transaction written", slog.String("lost_in", m.topic),
			slog.Int64("producer_id", m.pid), slog.Bool("committed", m.commit))
	}
	return nil
}

func isForbidden(err error) bool {
	var auth *kadm.AuthError
	return errors.As(err, &auth) || errors.Is(err, kerr.TransactionalIDAuthorizationFailed) ||
		errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}

// lostMarker is an end of a transaction that a partition of the lane never got.
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
	// The coordinator first: what it holds for complete now, every partition must have the marker of a moment later.
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
			// Each end raises the epoch by one, so only an open transaction of the epoch before is the one that ended so. The
			// outcome of an older one is not known here.
			if p.ProducerID == txn.ProducerID && p.CurrentTxnStartOffset >= 0 && p.ProducerEpoch == txn.ProducerEpoch-1 {
				lost = append(lost, lostMarker{p.Topic, p.ProducerID, txn.ProducerEpoch, max(p.CoordinatorEpoch, 0), txn.State == completeCommit})
			}
		})
	}
	return lost, nil
}

const (
	completeCommit = "CompleteCommit"
	completeAbort  = "CompleteAbort"
)

// endedTransactions returns what the coordinator knows of the lane's ids whose last transaction is complete. It waits
// for one that is being ended: its markers may still be on their way, or be lost.
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
			return nil, fmt.Errorf("a transaction is being ended and does not come to its end: %w", ctx.Err())
		}
	}
}

// hasOpen tells whether readers can't reach the end of the lane's events or decisions yet.
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
