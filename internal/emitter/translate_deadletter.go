package emitter

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/pubsub"
)

// The headers of a dead letter, beside those of the record itself.
const (
	headerDeadLetterID = "ol_deadletter"
	headerReader       = "ol_reader"
	headerReason       = "ol_reason"
	headerError        = "ol_error"
	headerTopic        = "ol_topic"
	headerPartition    = "ol_partition"
	headerOffset       = "ol_offset"
	headerBytes        = "ol_bytes"
)

// deadLetter is the record as it was, with its position and why it is here. Its key is the position, so a repeat after a
// crash is known as one.
func deadLetter(record *kgo.Record, reason string, why error) *message.Message {
	position := fmt.Sprintf("%s/%d/%d", record.Topic, record.Partition, record.Offset)
	m := message.NewMessage(position, record.Value)
	if len(record.Value) > maxBodyBytes {
		m.Payload = nil // With the headers it may not fit; it stays where it is.
	}
	for _, h := range record.Headers {
		m.Metadata[h.Key] = string(h.Value)
	}
	m.Metadata[pubsub.MetadataKey] = position
	m.Metadata[pubsub.MetadataPartition] = "0" // The topic has one.
	m.Metadata[headerReader] = "emitter"
	m.Metadata[headerReason] = reason
	m.Metadata[headerError] = why.Error()
	m.Metadata[headerTopic] = record.Topic
	m.Metadata[headerPartition] = strconv.Itoa(int(record.Partition))
	m.Metadata[headerOffset] = strconv.FormatInt(record.Offset, 10)
	m.Metadata[headerBytes] = strconv.Itoa(len(record.Value))
	return m
}

// deadLetterReason is the permanent name of a reason.
func deadLetterReason(err error) string {
	switch {
	case errors.Is(err, events.ErrUnknownType):
		return "unknown_type"
	case errors.Is(err, events.ErrUndecodable):
		return "undecodable"
	case errors.Is(err, errNoLaneSeq):
		return "no_laneseq"
	case errors.Is(err, errTooLarge):
		return "too_large"
	default:
		return "failed"
	}
}
