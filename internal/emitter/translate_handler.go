package emitter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/pubsub"
)

// maxBodyBytes is the largest body that is written; the rest of a batch is for its headers.
const maxBodyBytes = kafka.MaxMessageBytes - 64<<10

var (
	errNoLaneSeq = errors.New("no sequence in the lane, so there is no message id")
	errTooLarge  = errors.New("the message is larger than the topic takes")
	errPanic     = errors.New("panic")
)

// handle makes the messages of one record. It returns an error only where another try can help: what makes no sense
// goes to the dead letters, and the stream goes on.
func (t *Translator) handle(in *message.Message, deadLetters *kgo.Client) ([]*message.Message, error) {
	record := pubsub.Record(in.Context())
	if record.Attrs.IsControl() {
		return nil, nil
	}
	out, err := t.translate(in.Context(), record)
	switch {
	case err != nil:
		return nil, t.setAside(in.Context(), deadLetters, record, err)
	case out == nil:
		return nil, nil
	}
	return []*message.Message{out}, nil
}

// translate returns the message of a record, or nil when there is none.
func (t *Translator) translate(ctx context.Context, record *kgo.Record) (out *message.Message, err error) {
	// A mistake in here must not stop a lane: the router would hand the record back for ever.
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	env, event, err := events.Decode(kafka.AppendEventHeaders(nil, record), record.Value)
	switch {
	case err != nil:
		return nil, err
	case env.LaneSeq == 0:
		return nil, errNoLaneSeq
	}
	r := Recorded{Lane: record.Partition, Envelope: env, Event: event}
	m, ok := Translate(r, t.profile, t.config.Channels.Of(event.GetAfter().GetSellerId()))
	if !ok {
		t.metrics.untold.Inc()
		return nil, nil
	}
	if len(m.Body) > maxBodyBytes {
		return nil, fmt.Errorf("%w: %d bytes", errTooLarge, len(m.Body))
	}
	t.count(ctx, &m)
	out = message.NewMessage(strconv.FormatInt(m.ID, 10), m.Body)
	m.setHeaders(out.Metadata, &r)
	out.Metadata[pubsub.MetadataKey] = m.ShipmentID
	out.Metadata[pubsub.MetadataPartition] = strconv.Itoa(int(record.Partition))
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
	// The rest is a matter of settings and would be said of every message.
	if m.Notes&(NoteTextTooLong|NoteQuantityBounded) != 0 {
		t.log.LogAttrs(ctx, slog.LevelWarn, "message against its contract", slog.String("shipment_id", m.ShipmentID),
			slog.Int64("message_id", m.ID), slog.String("event_type", m.Type), slog.String("notes", m.Notes.String()))
	}
}
