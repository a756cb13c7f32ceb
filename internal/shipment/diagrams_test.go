package shipment

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the page of states anew")

const (
	page  = "../../docs/states.md"
	begin = "<!-- generated from the transition tables: begin -->\n"
	end   = "<!-- generated: end -->\n"
)

func TestDiagrams(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(page)
	if *update && os.IsNotExist(err) {
		b, err = []byte("# States\n\n"+begin+end), nil
	}
	require.NoError(t, err)
	head, rest, ok := strings.Cut(string(b), begin)
	require.True(t, ok, "%s has no line %s", page, begin)
	_, tail, ok := strings.Cut(rest, end)
	require.True(t, ok, "%s has no line %s", page, end)
	want := head + begin + "\n" + Diagrams() + "\n" + end + tail
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(b), "the page is stale: go test ./internal/shipment -run TestDiagrams -update")
}

func TestRowsHaveNames(t *testing.T) {
	t.Parallel()
	for r := range rows {
		require.NotEmpty(t, rowName(r))
	}
	for r := range returnRows {
		require.NotEmpty(t, returnRowName(r))
	}
}
