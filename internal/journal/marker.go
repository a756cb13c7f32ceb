package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// The states of a transaction that has been decided, as the coordinator names them.
const (
	statePrepareCommit  = "PrepareCommit"
	statePrepareAbort   = "PrepareAbort"
	stateCompleteCommit = "CompleteCommit"
	stateCompleteAbort  = "CompleteAbort"
)

// markAgain writes the end of a transaction that the coordinator holds for ended and a partition of the lane does not.
//
// Kafka 4.3 can lose a marker (KAFKA-20734): a coordinator that finds no leader for a partition, as for a moment after the
// only broker was killed, takes the topic for deleted and completes without it. Nothing in Kafka ever repairs that: nobody
// reads on, and the lane could not be opened. It must be looked at before the ids are fenced, because fencing makes the
// coordinator forget how the last transaction of an id ended; after that only its caller would know.
func (l *lane) markAgain(ctx context.Context) error {
	adm := kadm.NewClient(l.j.client)
	before, err := l.openTransactions(ctx, adm)
	if err != nil || len(before) == 0 {
		return err
	}
	ended, err := l.endedTransactions(ctx, adm)
	if err != nil || len(ended) == 0 {
		return err
	}
	// Asked again: what was open before it was known to have ended, and still is, got no marker and never will.
	after, err := l.openTransactions(ctx, adm)
	if err != nil {
		return err
	}
	for at, producer := range after {
		end, known := ended[producer.ProducerID]
		if !known || before[at].CurrentTxnStartOffset != producer.CurrentTxnStartOffset {
			continue
		}
		if int(producer.ProducerEpoch)+1 != int(end.ProducerEpoch) {
			// Each transaction ends with an epoch of its own, so this is an older one: how it ended nobody knows any more.
			l.log.ErrorContext(ctx, "transaction without a marker", slog.String("topic", at.topic), slog.String("transactional_id", end.TxnID),
				slog.Int64("offset", producer.CurrentTxnStartOffset))
			continue
		}
		marker := kadm.TxnMarkers{
			ProducerID: producer.ProducerID, ProducerEpoch: end.ProducerEpoch, Commit: end.State == stateCompleteCommit,
			CoordinatorEpoch: max(producer.CoordinatorEpoch, 0), Topics: kadm.TopicsSet{},
		}
		marker.Topics.Add(at.topic, l.id)
		answers, err := adm.WriteTxnMarkers(ctx, marker)
		answers.EachPartition(func(a kadm.TxnMarkersPartitionResponse) { err = errors.Join(err, a.Err) })
		if err != nil {
			return fmt.Errorf("write the lost marker of %s to %s lane %d: %w", end.TxnID, at.topic, l.id, err)
		}
		l.log.WarnContext(ctx, "lost transaction marker written", slog.String("topic", at.topic), slog.String("transactional_id", end.TxnID),
			slog.Int64("offset", producer.CurrentTxnStartOffset), slog.Bool("commit", marker.Commit))
	}
	return nil
}

// openAt is where a producer has a transaction open.
type openAt struct {
	topic      string
	producerID int64
}

// openTransactions are those in the lane's partitions. A broker that can't tell is not asked again: then nothing is mended.
func (l *lane) openTransactions(ctx context.Context, adm *kadm.Client) (map[openAt]kadm.DescribedProducer, error) {
	var where kadm.TopicsSet
	where.Add(events.TopicEvents, l.id)
	where.Add(events.TopicDecisions, l.id)
	described, err := adm.DescribeProducers(ctx, where)
	described.EachPartition(func(p kadm.DescribedProducersPartition) { err = errors.Join(err, p.Err) })
	if err != nil {
		return nil, l.unlessRefused(ctx, fmt.Errorf("describe producers of lane %d: %w", l.id, err))
	}
	open := map[openAt]kadm.DescribedProducer{}
	described.EachProducer(func(p kadm.DescribedProducer) {
		if p.CurrentTxnStartOffset >= 0 {
			open[openAt{p.Topic, p.ProducerID}] = p
		}
	})
	return open, nil
}

// endedTransactions are the lane's ids whose last transaction has ended, by producer. One that is just ending is waited for:
// its markers may be lost as well.
func (l *lane) endedTransactions(ctx context.Context, adm *kadm.Client) (map[int64]kadm.DescribedTransaction, error) {
	aa, bb := kafka.LaneTransactionalIDs(l.j.cfg.Prefix, l.id)
	for {
		described, err := adm.DescribeTransactions(ctx, aa, bb)
		ended := map[int64]kadm.DescribedTransaction{}
		ending := false
		for _, t := range described {
			switch {
			case errors.Is(t.Err, kerr.TransactionalIDNotFound):
			case t.Err != nil:
				err = errors.Join(err, t.Err)
			case t.State == stateCompleteCommit, t.State == stateCompleteAbort:
				ended[t.ProducerID] = t
			case t.State == statePrepareCommit, t.State == statePrepareAbort:
				ending = true
			}
		}
		if err != nil {
			return nil, l.unlessRefused(ctx, fmt.Errorf("describe transactions of lane %d: %w", l.id, err))
		}
		if !ending {
			return ended, nil
		}
		if wait(ctx, 20*time.Millisecond); ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// unlessRefused drops an error that says that the broker does not answer such questions, or not to us.
func (l *lane) unlessRefused(ctx context.Context, err error) error {
	var auth *kadm.AuthError
	if errors.As(err, &auth) || errors.Is(err, kerr.UnsupportedVersion) || errors.Is(err, kerr.TransactionalIDAuthorizationFailed) ||
		errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
		l.log.WarnContext(ctx, "lost transaction markers are not looked for", slog.Any("err", err))
		return nil
	}
	return err
}
