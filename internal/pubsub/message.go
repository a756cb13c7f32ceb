package pubsub

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// MetadataKey is the metadata that becomes the key of a published record. Without it the record has no key.
	MetadataKey = "kafka_key"
	// MetadataPartition is the metadata that names the partition of a published record, in decimal. Without it the client
	// chooses the partition as Kafka's own does: by the key if there is one.
	MetadataPartition = "kafka_partition"
)

// unset is the partition of a record whose message does not name one.
const unset = -1

type recordKey struct{}

// Record returns the record that a message was made from, given the context of the message. It has what the message
// lacks: position, key, time and repeated headers. It is nil if the message does not come from a Subscriber of this
// package. It must not be changed.
func Record(ctx context.Context) *kgo.Record {
	r, _ := ctx.Value(recordKey{}).(*kgo.Record)
	return r
}

// encode turns a message into a record. A nil payload becomes a tombstone.
func (c Config) encode(topic string, m *message.Message) (*kgo.Record, error) {
	r := &kgo.Record{Topic: topic, Value: m.Payload, Partition: unset}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: c.UUIDHeader, Value: []byte(m.UUID)})
	// Sorted, so that equal messages become equal records, byte for byte.
	for _, k := range slices.Sorted(maps.Keys(m.Metadata)) {
		v := m.Metadata[k]
		switch k {
		case MetadataKey:
			r.Key = []byte(v)
		case MetadataPartition:
			n, err := strconv.ParseInt(v, 10, 32)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("message %s: partition %q is not a number", m.UUID, v)
			}
			r.Partition = int32(n)
		case c.UUIDHeader:
		default:
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
		}
	}
	if c.ExplicitPartitions && r.Partition == unset {
		return nil, fmt.Errorf("message %s: names no partition of %s; set the metadata %s", m.UUID, topic, MetadataPartition)
	}
	return r, nil
}

// decode turns a record into a message without a context.
func (c Config) decode(r *kgo.Record) *message.Message {
	m := message.NewMessage("", r.Value)
	for _, h := range r.Headers {
		m.Metadata[h.Key] = string(h.Value)
	}
	m.UUID = m.Metadata[c.UUIDHeader]
	if m.UUID == "" {
		m.UUID = fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)
	}
	if c.UUIDHeader == WatermillUUID {
		delete(m.Metadata, WatermillUUID)
	}
	return m
}
