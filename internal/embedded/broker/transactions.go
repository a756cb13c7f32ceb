package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// producer is one incarnation of a transactional producer.
type producer struct {
	id    int64
	epoch int16
}

// partition names one partition of a topic.
type partition struct {
	topic string
	id    int32
}

// endOpenTransactions writes an abort marker for every transaction that was open when the process was killed, and
// returns how many there were.
//
// kfake treats such transactions as aborted, but in memory only. Without a marker in the log, a consumer that learned
// of the aborted range drops everything the same producer commits afterwards, up to its next abort; and the next kill
// pairs the open records with a later commit and makes them visible.
func endOpenTransactions(ctx context.Context, l *listener) (ended int, err error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(l.Addr().String()), kgo.Dialer(l.dial), kgo.ClientID("embedded-startup"),
		// Aborted records and control records are what openTransactions looks for.
		kgo.FetchIsolationLevel(kgo.ReadUncommitted()), kgo.KeepControlRecords(),
	)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	open, err := openTransactions(ctx, client, adm)
	if err != nil || len(open) == 0 {
		return 0, err
	}

	byProducer := map[producer]kadm.TopicsSet{}
	for p, txns := range open {
		for id, epoch := range txns {
			key := producer{id, epoch}
			set := byProducer[key]
			set.Add(p.topic, p.id)
			byProducer[key] = set
		}
	}
	var markers []kadm.TxnMarkers
	for p, set := range byProducer {
		markers = append(markers, kadm.TxnMarkers{ProducerID: p.id, ProducerEpoch: p.epoch, Topics: set})
	}
	written, err := adm.WriteTxnMarkers(ctx, markers...)
	if err != nil {
		return 0, fmt.Errorf("write abort markers: %w", err)
	}
	for _, p := range written.SortedPartitions() {
		if p.Err != nil {
			err = errors.Join(err, fmt.Errorf("write abort marker to %s/%d: %w", p.Topic, p.Partition, p.Err))
		}
	}
	return len(byProducer), err
}

// openTransactions reads every log to its end. It returns the producers whose last record in a partition is not a
// marker, with their epochs.
func openTransactions(
	ctx context.Context, client *kgo.Client, adm *kadm.Client,
) (map[partition]map[int64]int16, error) {
	starts, err := adm.ListStartOffsets(ctx)
	if err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx)
	if err = errors.Join(err, starts.Error(), ends.Error()); err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	left := map[partition]int64{} // The offset up to which each must be read.
	from := map[string]map[int32]kgo.Offset{}
	ends.Each(func(end kadm.ListedOffset) {
		start, ok := starts.Lookup(end.Topic, end.Partition)
		if !ok || start.Offset >= end.Offset {
			return
		}
		left[partition{end.Topic, end.Partition}] = end.Offset
		if from[end.Topic] == nil {
			from[end.Topic] = map[int32]kgo.Offset{}
		}
		from[end.Topic][end.Partition] = kgo.NewOffset().At(start.Offset)
	})
	client.AddConsumePartitions(from)

	open := map[partition]map[int64]int16{}
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			p := partition{r.Topic, r.Partition}
			switch {
			case r.Attrs.IsControl():
				delete(open[p], r.ProducerID)
			case r.Attrs.IsTransactional():
				if open[p] == nil {
					open[p] = map[int64]int16{}
				}
				open[p][r.ProducerID] = r.ProducerEpoch
			}
			if r.Offset+1 >= left[p] {
				delete(left, p)
			}
		})
	}
	for p, txns := range open {
		if len(txns) == 0 {
			delete(open, p)
		}
	}
	return open, nil
}
