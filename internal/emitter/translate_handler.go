package emitter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/deadletter"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/pubsub"
)

// maxBodyBytes bounds the body of a message, so that the record fits into a batch together with its headers.
const maxBodyBytes = kafka.MaxMessageBytes - 64<<10

var (
	errNoLaneSeq = errors.New("no sequence in the lane, so there is no message id")
	errTooLarge  = errors.New("message exceeds the limit of the topic")
	errPanic     = errors.New("panic")
)

// handle returns the messages of one record. It returns an error only if a retry can help. An event that cannot be
// translated goes to the dead letters, so that it does not stop its lane.
func (t *Translator) handle(in *message.Message, deadLetters *kgo.Client) ([]*message.Message, error) {
	record := pubsub.Record(in.Context())
	if record.Attrs.IsControl() {
		return nil, nil
	}
	// A handler that was abandoned may start when its partition has been assigned again, and then takes the numbers of
	// that assignment. They are right for it: its message was handed out only after all earlier ones were written, and an
	// assignment reads everything that was written. So its message is next, or was written meanwhile.
	lane := t.numbers.lane(record.Partition)
	if lane == nil {
		return nil, fmt.Errorf("lane %d is not assigned", record.Partition)
	}
	out, err := t.translate(in.Context(), record, lane)
	switch {
	case err != nil:
		return nil, t.deadLetter(in.Context(), deadLetters, record, err)
	case out == nil:
		return nil, nil
	}
	return []*message.Message{out}, nil
}

// translate returns the message of a record, or nil when there is none to write.
func (t *Translator) translate(
	ctx context.Context, record *kgo.Record, lane *laneNumbers,
) (out *message.Message, err error) {
	// A bug in the translation must not stop a lane: the router would pass the same record again for ever.
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	env, event, err := events.Decode(kafka.EventRecord(record))
	switch {
	case err != nil:
		return nil, err
	case env.LaneSeq == 0:
		return nil, errNoLaneSeq
	}
	r := Recorded{Lane: record.Partition, Envelope: env, Event: event}
	m, ok := Translate(r, t.profile, t.config.Channels.Of(event.GetAfter().GetSellerId()))
	if !ok {
		t.metrics.ignored.Inc()
		return nil, nil
	}
	if len(m.Body) > maxBodyBytes {
		return nil, fmt.Errorf("%w: %d bytes", errTooLarge, len(m.Body))
	}
	seq := lane.next(m.ID)
	if seq == 0 {
		t.metrics.written.Inc()
		return nil, nil
	}
	t.count(ctx, &m)
	out = message.NewMessage(strconv.FormatInt(m.ID, 10), m.Body)
	m.setHeaders(out.Metadata, &r)
	out.Metadata[pubsub.MetadataKey] = m.ShipmentID
	out.Metadata[pubsub.MetadataPartition] = strconv.Itoa(int(record.Partition))
	withNumber(ctx, out, numbered{lane: lane, seq: seq, id: m.ID})
	return out, nil
}

func (t *Translator) count(ctx context.Context, m *Message) {
	t.metrics.messages.WithLabelValues(m.Type).Inc()
	if m.Notes == 0 {
		return
	}
	for _, note := range m.Notes.Names() {
		t.metrics.notes.WithLabelValues(note).Inc()
	}
	// The other notes depend on settings and would be logged for every message.
	if m.Notes&(NoteTextTooLong|NoteQuantityBounded) != 0 {
		t.log.LogAttrs(ctx, slog.LevelWarn, "message deviates from contract", slog.String("shipment_id", m.ShipmentID),
			slog.Int64("message_id", m.ID), slog.String("event_type", m.Type), slog.String("notes", m.Notes.String()))
	}
}

// deadLetterTimeout bounds one attempt to write a dead letter. After a failure the router passes the event again.
const deadLetterTimeout = 30 * time.Second

// deadLetter writes an event that cannot be translated to the dead letters. On an error it was not written, and the
// translator must not move on.
func (t *Translator) deadLetter(ctx context.Context, client *kgo.Client, record *kgo.Record, why error) error {
	letter := deadletter.Of(record, why.Error(), time.Now())
	if len(letter.Value) > maxBodyBytes {
		// With the headers of the letter it might not fit. Nothing is lost, because events are kept for ever.
		letter.Value, letter.Reason = nil, fmt.Sprintf("%s (%d bytes, left in place)", letter.Reason, len(letter.Value))
	}
	ctx, cancel := context.WithTimeout(ctx, deadLetterTimeout)
	defer cancel()
	if err := client.ProduceSync(ctx, letter.Record()).FirstErr(); err != nil {
		return fmt.Errorf("dead letter of %s: %w", letter.Position(), err)
	}
	t.metrics.deadLetters.WithLabelValues(deadLetterReason(why)).Inc()
	t.log.LogAttrs(ctx, slog.LevelError, "dead lettered", slog.String("topic", record.Topic),
		slog.Int("partition", int(record.Partition)), slog.Int64("offset", record.Offset), slog.Any("err", why))
	return nil
}

// deadLetterReason returns the value of the metric label for a reason. These values are permanent.
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
