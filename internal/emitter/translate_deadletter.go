package emitter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/deadletter"
)

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
