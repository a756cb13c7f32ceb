package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// A coordinator of Apache Kafka that comes up before the leader of a partition can take that partition for deleted, skip its
// marker, and hold the transaction for complete (KAFKA-20734; 4.3.0 has it). The partition then has an open transaction that
// nobody will ever end: readers stop before it. Its outcome is still known, to the coordinator alone, and only until the id
// is fenced, which makes the coordinator forget. So whoever takes a lane over looks for that first, and writes what is
// missing.

// writeLostMarkers ends the lane's transactions whose coordinator has ended them without telling a partition. It changes
// nothing that is not certain; where it may not ask, or is not answered, the takeover goes on as without it.
func (l *lane) writeLostMarkers(ctx context.Context) {
	if l.j.cfg.Embedded {
		return
	}
	lost, err := l.lostMarkers(ctx)
	if err != nil {
		l.log.WarnContext(ctx, "not known whether a transaction lost its marker", slog.Any("err", err))
		return
	}
	for _, m := range lost {
		if err := l.writeMarker(ctx, m); err != nil {
			l.log.ErrorContext(ctx, "lost marker not written: the lane can't be read past it; write it with kafka-transactions.sh, "+
				"with the outcome named here", slog.Any("err", err), slog.String("lost_in", m.topic), slog.Int64("producer_id", m.pid),
				slog.Bool("committed", m.commit))
			continue
		}
		l.j.metrics.repaired.WithLabelValues("marker").Inc()
		l.log.WarnContext(ctx, "lost marker of a transaction written", slog.String("lost_in", m.topic),
			slog.Int64("producer_id", m.pid), slog.Bool("committed", m.commit))
	}
}

// lostMarker is an end of a transaction that a partition of the lane never got.
type lostMarker struct {
	topic       string
	pid         int64
	epoch       int16
	coordinator int32
	commit      bool
}

func (l *lane) lostMarkers(ctx context.Context) ([]lostMarker, error) {
	open, err := l.hasOpen(ctx)
	if err != nil || !open {
		return nil, err
	}
	adm := kadm.NewClient(l.j.client)
	aa, bb := kafka.LaneTransactionalIDs(l.j.cfg.Prefix, l.id)
	// The coordinator first: what it holds for complete now, every partition must have the marker of a moment later.
	txns, err := adm.DescribeTransactions(ctx, aa, bb)
	if err != nil {
		return nil, fmt.Errorf("describe transactions: %w", err)
	}
	var topics kadm.TopicsSet
	topics.Add(events.TopicEvents, l.id)
	topics.Add(events.TopicDecisions, l.id)
	producers, err := adm.DescribeProducers(ctx, topics)
	if err != nil {
		return nil, fmt.Errorf("describe producers: %w", err)
	}
	var lost []lostMarker
	for _, txn := range txns {
		commit := txn.State == "CompleteCommit"
		if txn.Err != nil || !commit && txn.State != "CompleteAbort" {
			continue
		}
		producers.EachProducer(func(p kadm.DescribedProducer) {
			// Each end raises the epoch, so an open transaction of an epoch before is the one that ended, or an older one.
			if p.ProducerID == txn.ProducerID && p.CurrentTxnStartOffset >= 0 && p.ProducerEpoch < txn.ProducerEpoch {
				lost = append(lost, lostMarker{p.Topic, p.ProducerID, txn.ProducerEpoch, max(p.CoordinatorEpoch, 0), commit})
			}
		})
	}
	return lost, nil
}

// hasOpen tells whether readers can't reach the end of the lane's events or decisions yet.
func (l *lane) hasOpen(ctx context.Context) (bool, error) {
	stable, err := l.j.stableSpans(ctx, l.id)
	if err != nil {
		return false, err
	}
	all, err := l.j.spans(ctx, l.id)
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

func (l *lane) writeMarker(ctx context.Context, m lostMarker) error {
	var topics kadm.TopicsSet
	topics.Add(m.topic, l.id)
	written, err := kadm.NewClient(l.j.client).WriteTxnMarkers(ctx, kadm.TxnMarkers{
		ProducerID: m.pid, ProducerEpoch: m.epoch, Commit: m.commit, CoordinatorEpoch: m.coordinator, Topics: topics,
	})
	if err != nil {
		return fmt.Errorf("write the marker: %w", err)
	}
	of, ok := written[m.pid].Topics[m.topic].Partitions[l.id]
	if !ok {
		return errors.New("write the marker: no answer for the partition")
	}
	if of.Err != nil {
		return fmt.Errorf("write the marker: %w", of.Err)
	}
	return nil
}
