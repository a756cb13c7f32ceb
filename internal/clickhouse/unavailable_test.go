package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
)

func TestUnavailable(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		io.EOF, context.DeadlineExceeded, clickhouse.ErrAcquireConnTimeout, &net.OpError{Op: "dial", Err: errors.New("refused")},
		&clickhouse.Exception{Code: codeMemoryLimit}, &clickhouse.Exception{Code: codeTooManyQueries},
		&clickhouse.Exception{Code: codeTimeoutExceeded}, &clickhouse.Exception{Code: codeServerOverloaded},
		&clickhouse.Exception{Code: codeNotEnoughSpace}, &clickhouse.Exception{Code: codeReadOnly},
		&clickhouse.Exception{Code: 75, Message: "Cannot write to file: , errno: 28, strerror: No space left on device"},
		// Tables that the projector has yet to create, and a password that was changed.
		&clickhouse.Exception{Code: codeUnknownTable}, &clickhouse.Exception{Code: codeUnknownDatabase},
		&clickhouse.Exception{Code: codeAuthentication}, &tls.CertificateVerificationError{Err: errors.New("expired")},
		tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
	} {
		require.True(t, Unavailable(fmt.Errorf("read: %w", err)), "%v", err)
	}
	for _, err := range []error{&clickhouse.Exception{Code: 62}, errors.New("a bug"), nil} {
		require.False(t, Unavailable(err), "%v", err)
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	require.True(t, DiskFull(fmt.Errorf("insert: %w", &clickhouse.Exception{Code: codeNotEnoughSpace})))
	require.True(t, DiskFull(&clickhouse.Exception{Code: 75, Message: "errno: 28, strerror: No space left on device"}))
	require.False(t, DiskFull(&clickhouse.Exception{Code: codeMemoryLimit}))
	require.False(t, DiskFull(nil))
}
