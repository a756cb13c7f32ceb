package importer

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A file without line ends would be read to its end, or for ever, by a goroutine that nobody waits for.
func TestOpenReadsNothingAfterContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	reads := 0
	lines, err := open(ctx, readerFunc(func(p []byte) (int, error) {
		cancel()
		if reads++; reads > 1000 {
			return 0, io.EOF
		}
		clear(p)
		return len(p), nil
	}))
	require.NoError(t, err)
	_, err = readLine(lines)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, reads)
}
