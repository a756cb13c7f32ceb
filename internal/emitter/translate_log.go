package emitter

import (
	"context"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill"
)

// routerLog logs what the router reports. It drops most fields, because one of them is the whole message, which
// contains the address of a customer.
type routerLog struct{ log *slog.Logger }

// Error implements watermill.LoggerAdapter. It logs a warning, because the router gets the record again after a
// backoff.
func (l routerLog) Error(msg string, err error, fields watermill.LogFields) {
	l.log.LogAttrs(context.Background(), slog.LevelWarn, "translation interrupted", slog.String("step", msg),
		slog.Any("event_id", fields["message_uuid"]), slog.Any("err", err))
}

// Info implements watermill.LoggerAdapter.
func (l routerLog) Info(msg string, _ watermill.LogFields) {
	l.log.LogAttrs(context.Background(), slog.LevelDebug, "translation router logged", slog.String("step", msg))
}

// Debug implements watermill.LoggerAdapter.
func (routerLog) Debug(string, watermill.LogFields) {}

// Trace implements watermill.LoggerAdapter.
func (routerLog) Trace(string, watermill.LogFields) {}

// With implements watermill.LoggerAdapter.
func (l routerLog) With(watermill.LogFields) watermill.LoggerAdapter { return l }
