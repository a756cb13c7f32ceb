package emitter

import (
	"context"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill"
)

// routerLog writes what the router has to say. Its errors are news; its fields are mostly not, and one of them is the
// whole message with its customer's address, so of the fields only names are kept.
type routerLog struct{ log *slog.Logger }

// Error implements watermill.LoggerAdapter. The record is handed to the router again after a while, so nothing is lost.
func (l routerLog) Error(msg string, err error, fields watermill.LogFields) {
	l.log.LogAttrs(context.Background(), slog.LevelWarn, "translate", slog.String("step", msg),
		slog.Any("event_id", fields["message_uuid"]), slog.Any("err", err))
}

// Info implements watermill.LoggerAdapter.
func (l routerLog) Info(msg string, _ watermill.LogFields) {
	l.log.LogAttrs(context.Background(), slog.LevelDebug, "translate", slog.String("step", msg))
}

// Debug implements watermill.LoggerAdapter.
func (routerLog) Debug(string, watermill.LogFields) {}

// Trace implements watermill.LoggerAdapter.
func (routerLog) Trace(string, watermill.LogFields) {}

// With implements watermill.LoggerAdapter.
func (l routerLog) With(watermill.LogFields) watermill.LoggerAdapter { return l }
