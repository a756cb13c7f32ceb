package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/setting"
)

// A variable that is read and not in the list would be reported as misspelt.
func TestVariablesAreKnown(t *testing.T) {
	t.Parallel()
	known, read := setting.Known(), 0
	_, _ = readConfig(func(name string) string {
		read++
		require.Contains(t, known, name)
		return ""
	})
	require.Positive(t, read)
}

func TestRunRefusesArguments(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"please"}, func(string) string { return "" }, io.Discard, io.Discard)
	require.ErrorContains(t, err, `unexpected argument "please"`)
}
