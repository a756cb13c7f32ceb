package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// The server's error codes that say "not now": the query itself is right. Tables may be missing until the projector has
// created them, and an operator changes users and passwords without asking.
const (
	codeSocketTimeout     = 209
	codeAborted           = 236
	codeTimeoutExceeded   = 159
	codeTooManyQueries    = 202
	codeNetworkError      = 210
	codeMemoryLimit       = 241
	codeTableReadOnly     = 242
	codeServerOverloaded  = 745
	codeQueryWasCancelled = 394
	codeReadOnly          = 164
	codeNotEnoughSpace    = 243
	codeTooManyParts      = 252
	codeAccessDenied      = 497
	codeKeeper            = 999
)

// Unavailable reports whether a query failed for a reason that passes: no connection, no answer in time, or a server
// that refuses work for now. Any other error of the server is about the query.
func Unavailable(err error) bool {
	if e := (*clickhouse.Exception)(nil); errors.As(err, &e) {
		return slices.Contains([]int32{
			codeTimeoutExceeded, codeTooManyQueries, codeNetworkError, codeMemoryLimit, codeTableReadOnly,
			codeServerOverloaded, codeQueryWasCancelled, codeSocketTimeout, codeAborted, codeUnknownTable, codeUnknownDatabase,
			codeUnknownUser, codeWrongPassword, codeAuthentication, codeReadOnly, codeAccessDenied, codeNotEnoughSpace,
			codeTooManyParts, codeKeeper,
		}, e.Code) || DiskFull(err)
	}
	return isConnection(err)
}

// DiskFull reports whether a server failed because its disk is full. A write that meets the end of the disk has one of
// several codes, all of which have other causes too, so the system's message decides.
func DiskFull(err error) bool {
	e := (*clickhouse.Exception)(nil)
	return errors.As(err, &e) && (e.Code == codeNotEnoughSpace || strings.Contains(e.Message, "No space left on device"))
}

// isConnection reports whether an error is one of the connection or of waiting for one.
func isConnection(err error) bool {
	var network interface{ Timeout() bool } // All errors of package net, and context.DeadlineExceeded.
	var certificate *tls.CertificateVerificationError
	var plain tls.RecordHeaderError // The server does not speak TLS.
	return errors.As(err, &certificate) || errors.As(err, &plain) || isEOF(err) ||
		errors.As(err, &network) || errors.Is(err, context.Canceled) ||
		errors.Is(err, clickhouse.ErrAcquireConnTimeout) || errors.Is(err, clickhouse.ErrConnectionClosed)
}
