package clickhouse

import (
	"context"
	"errors"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// The server's error codes that say "not now": the query itself is right.
const (
	codeTimeoutExceeded   = 159
	codeTooManyQueries    = 202
	codeNetworkError      = 210
	codeMemoryLimit       = 241
	codeTableReadOnly     = 242
	codeServerOverloaded  = 745
	codeQueryWasCancelled = 394
)

// Unavailable reports whether a query failed for a reason that passes: no connection, no answer in time, or a server
// that refuses work for now. Any other error of the server is about the query.
func Unavailable(err error) bool {
	if e := (*clickhouse.Exception)(nil); errors.As(err, &e) {
		return slices.Contains([]int32{
			codeTimeoutExceeded, codeTooManyQueries, codeNetworkError, codeMemoryLimit, codeTableReadOnly,
			codeServerOverloaded, codeQueryWasCancelled,
		}, e.Code)
	}
	return isConnection(err)
}

// isConnection reports whether an error is one of the connection or of waiting for one.
func isConnection(err error) bool {
	var network interface{ Timeout() bool } // All errors of package net, and context.DeadlineExceeded.
	return isEOF(err) || errors.As(err, &network) || errors.Is(err, context.Canceled) ||
		errors.Is(err, clickhouse.ErrAcquireConnTimeout) || errors.Is(err, clickhouse.ErrConnectionClosed)
}
