package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/setting"
)

var (
	variableRow  = regexp.MustCompile("(?m)^\\| `(ORDERLEDGER_\\w+)` \\|")
	variableText = regexp.MustCompile(`ORDERLEDGER_[A-Z0-9_]*[A-Z0-9]\b(?:…|\*)?`)
	variableCode = regexp.MustCompile(`"(ORDERLEDGER_[A-Z0-9_]+)"`)
	composeInput = regexp.MustCompile(`\$\{([A-Z_]+)`)
)

// retired are variables that programs still recognize, to say what replaces them.
var retired = []string{"ORDERLEDGER_SELLERS_STRICT"}

// TestKnownVariablesAreRead compares the list of known variables with the generated tables of docs/operating.md, both
// ways. The tests of the programs compare these tables with what the programs read. So a variable that is read and not
// known is found, and one that is known and not read.
func TestKnownVariablesAreRead(t *testing.T) {
	t.Parallel()
	var read []string
	for _, f := range files(t, func(path string) bool { return path == "docs/operating.md" }) {
		for _, part := range strings.Split(f.text, ", generated: begin -->\n")[1:] {
			table, _, found := strings.Cut(part, "<!-- generated: end -->")
			require.True(t, found)
			for _, m := range variableRow.FindAllStringSubmatch(table, -1) {
				read = append(read, m[1])
			}
		}
	}
	read = append(read, retired...)
	slices.Sort(read)
	known := setting.Known()
	slices.Sort(known)
	require.Equal(t, known, slices.Compact(read))
}

// TestFilesNameKnownVariables finds misspelt variables in the code, the documents and the files of Compose.
func TestFilesNameKnownVariables(t *testing.T) {
	t.Parallel()
	known := setting.Known()
	ofTests := func(name string) bool {
		return strings.HasPrefix(name, "ORDERLEDGER_TEST_") || strings.HasPrefix(name, "ORDERLEDGER_CHAOS_") ||
			strings.HasPrefix(name, "ORDERLEDGER_BENCH_")
	}
	found := 0
	for _, f := range files(t, func(path string) bool {
		return !strings.HasSuffix(path, "_test.go") && path != "internal/setting/names.go" && path != "CHANGELOG.md" &&
			(strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".yml") || isMarkdown(path) ||
				slices.Contains([]string{"Dockerfile", "Makefile"}, path))
	}) {
		for i, line := range f.lines() {
			names := variableText.FindAllString(line, -1)
			if strings.HasSuffix(f.path, ".go") { // In comments a name may be a prefix.
				names = nil
				for _, m := range variableCode.FindAllStringSubmatch(line, -1) {
					names = append(names, m[1])
				}
			}
			for _, name := range names {
				found++
				prefix := func(other string) bool { return strings.HasPrefix(other, name+"_") }
				if slices.Contains(known, name) || ofTests(name+"_") || ofTests(name) ||
					strings.HasSuffix(f.path, ".go") && slices.ContainsFunc(known, prefix) {
					continue
				}
				t.Errorf("%s:%d: no program reads %s", f.path, i+1, name)
			}
		}
	}
	require.Greater(t, found, 200)
}

// TestOperatingListsVariablesOfCompose compares what the files of Compose take from their environment with the list in
// the document.
func TestOperatingListsVariablesOfCompose(t *testing.T) {
	t.Parallel()
	var taken []string
	for _, f := range files(t, func(path string) bool {
		return slices.Contains([]string{"docker-compose.yml", "docker-compose.servers.yml"}, path)
	}) {
		for _, line := range f.lines() {
			text, _, _ := strings.Cut(line, "#")
			for _, m := range composeInput.FindAllStringSubmatch(text, -1) {
				taken = append(taken, m[1])
			}
		}
	}
	slices.Sort(taken)
	for _, f := range files(t, func(path string) bool { return path == "docs/operating.md" }) {
		_, rest, found := strings.Cut(f.text, "Compose reads these\nvariables from the environment")
		require.True(t, found)
		list, _, _ := strings.Cut(rest, "Put everything else")
		var listed []string
		for _, m := range regexp.MustCompile("`([A-Z_]+)`").FindAllStringSubmatch(list, -1) {
			listed = append(listed, m[1])
		}
		slices.Sort(listed)
		require.Equal(t, slices.Compact(taken), listed)
	}
}
