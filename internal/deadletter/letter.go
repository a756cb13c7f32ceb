package deadletter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// The headers that a dead letter adds before those of the original.
const (
	HeaderTopic     = "dl_topic"
	HeaderPartition = "dl_partition"
	HeaderOffset    = "dl_offset"
	HeaderReason    = "dl_reason"
	HeaderAt        = "dl_at"
	HeaderKey       = "dl_key"
)

// ownHeaders is the number of headers that Record adds.
const ownHeaders = 6

// Letter is a dead letter.
type Letter struct {
	// Topic, Partition and Offset are the position of the original.
	Topic     string
	Partition int32
	Offset    int64
	// Reason is a text for people.
	Reason string
	// At is when the letter was written.
	At time.Time
	// Key, Value and Headers are those of the original. A nil value stays nil.
	Key, Value []byte
	Headers    []kgo.RecordHeader
}

// Of returns the letter of a record.
func Of(r *kgo.Record, reason string, at time.Time) Letter {
	return Letter{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Reason: reason, At: at,
		Key: r.Key, Value: r.Value, Headers: r.Headers,
	}
}

// Position returns the key of the letter.
func (l Letter) Position() string {
	return l.Topic + "/" + strconv.Itoa(int(l.Partition)) + "/" + strconv.FormatInt(l.Offset, 10)
}

// Record returns the letter as a record of the dead-letter topic, which has one partition.
func (l Letter) Record() *kgo.Record {
	headers := make([]kgo.RecordHeader, 0, ownHeaders+len(l.Headers))
	headers = append(headers,
		kgo.RecordHeader{Key: HeaderTopic, Value: []byte(l.Topic)},
		kgo.RecordHeader{Key: HeaderPartition, Value: strconv.AppendInt(nil, int64(l.Partition), 10)},
		kgo.RecordHeader{Key: HeaderOffset, Value: strconv.AppendInt(nil, l.Offset, 10)},
		kgo.RecordHeader{Key: HeaderReason, Value: []byte(l.Reason)},
		kgo.RecordHeader{Key: HeaderAt, Value: l.At.UTC().AppendFormat(nil, events.TimeFormat)},
		kgo.RecordHeader{Key: HeaderKey, Value: l.Key},
	)
	return &kgo.Record{
		Topic: events.TopicDeadLetters, Partition: 0, Key: []byte(l.Position()), Value: l.Value,
		Headers: append(headers, l.Headers...),
	}
}

// Parse parses a record of the dead-letter topic.
func Parse(r *kgo.Record) (Letter, error) {
	if len(r.Headers) < ownHeaders {
		return Letter{}, fmt.Errorf("dead letter at %d: headers missing", r.Offset)
	}
	l := Letter{Value: r.Value, Headers: r.Headers[ownHeaders:]}
	var errs []error
	for i, h := range r.Headers[:ownHeaders] {
		v := string(h.Value)
		switch h.Key {
		case HeaderTopic:
			l.Topic = v
		case HeaderPartition:
			n, err := strconv.ParseInt(v, 10, 32)
			l.Partition, errs = int32(n), append(errs, err)
		case HeaderOffset:
			n, err := strconv.ParseInt(v, 10, 64)
			l.Offset, errs = n, append(errs, err)
		case HeaderReason:
			l.Reason = v
		case HeaderAt:
			at, err := time.Parse(time.RFC3339Nano, v)
			l.At, errs = at.UTC(), append(errs, err)
		case HeaderKey:
			l.Key = h.Value
		default:
			errs = append(errs, fmt.Errorf("header %d is %s", i, strings.ToValidUTF8(h.Key, "?")))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Letter{}, fmt.Errorf("dead letter at %d: %w", r.Offset, err)
	}
	return l, nil
}
