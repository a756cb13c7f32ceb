package emitter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// What an endpoint does that has started before, but whose positions Kafka has forgotten.
const (
	// ForgottenWait: it gets nothing until somebody decides.
	ForgottenWait = "wait"
	// ForgottenStart: it starts as a new endpoint. What was waiting for it may be lost to it.
	ForgottenStart = "start"
	// ForgottenRepeat: it gets everything from its first start on once more.
	ForgottenRepeat = "repeat"
)

var errForgotten = errors.New("kafka has forgotten the positions of an endpoint that had started; set its forgotten " +
	"to " + ForgottenRepeat + " (everything from its first start on once more) or to " +
	ForgottenStart + " (as a new endpoint; what was waiting may be lost to it)")

// startRecord is the value of a record of suborders.queues.v1 that says that an endpoint has started. Kafka forgets the
// positions of a group that has had no member for days; without this record such an endpoint would look like a new one,
// and "now" would skip what waited for it.
type startRecord struct {
	Endpoint string `json:"endpoint"`
	Start    int64  `json:"start"` // In Unix milliseconds; 0 for all messages.
	At       string `json:"at"`
}

// Where these records are.
const (
	startRecordsPartition = int32(0)
	startRecordPrefix     = "start/"
)

// recordStart writes that the endpoint has started. The owner of partition 0 calls it, once in a process. The record is
// only for a group that Kafka forgets, so a failure does not stop the endpoint.
func (w *endpointWorker) recordStart(ctx context.Context, start int64) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	err := w.writeStart(ctx, start)
	if err != nil {
		w.log.LogAttrs(ctx, slog.LevelWarn, "start not recorded", slog.Any("err", err))
		return
	}
	w.startRecorded = true
}

func (w *endpointWorker) writeStart(ctx context.Context, start int64) error {
	client, err := kgo.NewClient(append(slices.Clone(w.options), kafka.ManualPartitions())...)
	if err != nil {
		return err
	}
	defer client.Close()
	value, err := json.Marshal(startRecord{
		Endpoint: w.endpoint.Name, Start: start, At: time.Now().UTC().Format(events.TimeFormat),
	})
	if err != nil {
		return err
	}
	return client.ProduceSync(ctx, &kgo.Record{
		Topic: events.TopicSuborderQueues, Partition: startRecordsPartition,
		Key: []byte(startRecordPrefix + w.endpoint.Name), Value: value,
		Headers: kafka.Headers(events.HeaderContentType, jsonContentType),
	}).FirstErr()
}

// forgottenStart returns the start of an endpoint without positions that has started before, or false for a new one.
func (w *endpointWorker) forgottenStart(ctx context.Context) (start int64, started bool, err error) {
	client, err := kgo.NewClient(append(slices.Clone(w.options),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...)
	if err != nil {
		return 0, false, err
	}
	defer client.Close()
	topic := events.TopicSuborderQueues
	adm := kadm.NewClient(client)
	first, err := adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return 0, false, err
	}
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, false, err
	}
	from, _ := first.Lookup(topic, startRecordsPartition)
	end, _ := ends.Lookup(topic, startRecordsPartition)
	if from.Offset >= end.Offset {
		return 0, false, nil
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{
		topic: {startRecordsPartition: kgo.NewOffset().At(from.Offset)},
	})
	for read := from.Offset; read < end.Offset; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, false, fmt.Errorf("read the starts in %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			read = r.Offset + 1
			if string(r.Key) != startRecordPrefix+w.endpoint.Name {
				return
			}
			var last startRecord
			if json.Unmarshal(r.Value, &last) == nil {
				start, started = last.Start, true
			}
		})
	}
	return start, started, nil
}

// firstStart returns the start of an endpoint without any position.
func (w *endpointWorker) firstStart(ctx context.Context) (int64, error) {
	first, started, err := w.forgottenStart(ctx)
	if err != nil {
		return 0, err
	}
	if started {
		switch w.endpoint.Forgotten {
		case ForgottenRepeat:
			return first, nil
		case ForgottenStart:
		default:
			return 0, errForgotten
		}
	}
	return w.endpoint.startTime(time.Now())
}
