package pubsub

import (
	"log/slog"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// RouterLogger returns a logger for a Watermill router. It lowers the router's own information to debug level: every
// start and stop of a handler would be a line.
func RouterLogger(log *slog.Logger) watermill.LoggerAdapter {
	return watermill.NewSlogLoggerWithLevelMapping(log, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})
}

// EventFilter lists the event types that a handler of the ledger's events needs. Each type has the path, in Protobuf
// field numbers, of a field that the event must have; with an empty path every event of the type passes.
type EventFilter map[string][]protowire.Number

// Filter returns a Config.Filter. Decoding an event takes as long as deciding it, and such a handler needs only few of
// them, so the filter looks only at the type header and at field numbers. It passes a record that it cannot judge, such
// as one of a type outside the catalogue, so that the handler reports it.
func (f EventFilter) Filter() func(*kgo.Record) bool {
	known := map[string]bool{}
	for _, ceType := range events.Types() {
		known[ceType] = true
	}
	return func(rec *kgo.Record) bool {
		if rec.Attrs.IsControl() {
			return false // A transaction marker only advances the offset.
		}
		ceType := kafka.Header(rec, events.HeaderType)
		if ceType == nil {
			return true
		}
		path, needed := f[string(ceType)]
		if !needed {
			return !known[string(ceType)]
		}
		return hasField(rec.Value, path)
	}
}

// hasField reports whether an encoded message has a field at the end of a path. It reports true for a message that it
// cannot parse.
func hasField(message []byte, path []protowire.Number) bool {
	if len(path) == 0 {
		return true
	}
	for len(message) > 0 {
		num, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return true
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(num, typ, message); n < 0 {
			return true
		}
		switch {
		case num != path[0]:
		case len(path) == 1:
			return true
		case typ == protowire.BytesType:
			if field, _ := protowire.ConsumeBytes(message[:n]); hasField(field, path[1:]) {
				return true
			}
		}
		message = message[n:]
	}
	return false
}
