package docs_test

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	// named is a name with its type or package, as documents write it: `Router.Submit`, `events.Decode`.
	named      = regexp.MustCompile("`(\\w+)\\.(\\w+)`")
	sourceFile = regexp.MustCompile("`((?:internal|cmd|events|projections)/[\\w/]+\\.go)`")
	methods    = regexp.MustCompile(`(?m)^func \(\w* ?\*?(\w+)(?:\[\w+\])?\) (\w+)\(`)
	// topLevel is a function or a type.
	topLevel = regexp.MustCompile(`(?m)^(?:func|type) (\w+)`)
)

// TestArchitectureNamesCode checks that the functions and files named in ARCHITECTURE.md exist: a reader who looks for
// a step must find it.
func TestArchitectureNamesCode(t *testing.T) {
	t.Parallel()
	declared, owners, paths := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range files(t, func(path string) bool {
		return strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go")
	}) {
		paths[f.path] = true
		pkg := path.Base(path.Dir(f.path))
		owners[pkg] = true
		for _, m := range topLevel.FindAllStringSubmatch(f.text, -1) {
			declared[pkg+"."+m[1]] = true
		}
		for _, m := range methods.FindAllStringSubmatch(f.text, -1) {
			owners[m[1]] = true
			declared[m[1]+"."+m[2]] = true
		}
	}
	checked := 0
	for _, doc := range files(t, func(path string) bool { return path == "ARCHITECTURE.md" }) {
		for i, line := range doc.lines() {
			for _, m := range sourceFile.FindAllStringSubmatch(line, -1) {
				if !paths[m[1]] {
					t.Errorf("%s:%d: no file %s", doc.path, i+1, m[1])
				}
			}
			for _, m := range named.FindAllStringSubmatch(line, -1) {
				if !owners[m[1]] || m[2] == "go" {
					continue // A topic, a file.
				}
				checked++
				if !declared[m[1]+"."+m[2]] {
					t.Errorf("%s:%d: nothing declares %s.%s", doc.path, i+1, m[1], m[2])
				}
			}
		}
	}
	require.Greater(t, checked, 40)
}
