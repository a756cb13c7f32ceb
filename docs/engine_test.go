package docs_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// The package on npm, the library and the ClickHouse inside have three versions. People read one, in code, help, tests
// and pages, or its release line.
func TestEngineVersionHasOneSpelling(t *testing.T) {
	t.Parallel()
	parts := strings.SplitN(engine.Version, ".", 3)
	require.Len(t, parts, 3)
	line := parts[0] + "." + parts[1]
	spelled := regexp.MustCompile(`(?:^|[^\d.])v?(` + regexp.QuoteMeta(line) + `\b[\w.-]*)`)
	found := 0
	for _, f := range files(t, func(name string) bool {
		return slices.Contains([]string{".go", ".md", ".yml", ".images", ""}, path.Ext(name)) && !strings.HasPrefix(name, ".git/")
	}) {
		for n, text := range f.lines() {
			for _, m := range spelled.FindAllStringSubmatch(text, -1) {
				found++
				require.Contains(t, []string{line, engine.Version}, strings.TrimRight(m[1], ".-"), "%s:%d: %s", f.path, n+1, text)
			}
		}
	}
	require.Greater(t, found, 5, "the constant, the images and pages name it")
}
