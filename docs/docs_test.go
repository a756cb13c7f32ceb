package docs_test

import (
	"cmp"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the folder of the repository.
const root = ".."

// file is a text file of the repository, with its path from the root.
type file struct {
	path string
	text string
}

func (f file) lines() []string { return strings.Split(f.text, "\n") }

// files returns the repository's own files whose paths are kept, without generated Go code and build output.
func files(t *testing.T, keep func(path string) bool) []file {
	t.Helper()
	var all []file
	require.NoError(t, filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if slices.Contains([]string{".git", "bin", "schemas/gen"}, rel) {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || strings.HasSuffix(rel, ".pb.go") || !keep(rel) {
			return nil
		}
		text, err := os.ReadFile(name)
		all = append(all, file{rel, string(text)})
		return err
	}))
	require.NotEmpty(t, all)
	return all
}

func isMarkdown(path string) bool { return strings.HasSuffix(path, ".md") }

// declared are the names of all tests, fuzz tests and benchmarks, by the folder of their package.
type declared map[string][]string

var declaration = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w*)\(`)

func declaredTests(t *testing.T) declared {
	t.Helper()
	d := declared{}
	for _, f := range files(t, func(path string) bool { return strings.HasSuffix(path, "_test.go") }) {
		dir := path.Dir(f.path)
		for _, m := range declaration.FindAllStringSubmatch(f.text, -1) {
			d[dir] = append(d[dir], m[1])
		}
	}
	return d
}

// in reports whether a test of a package matches. The package is given as `internal/journal`, `./internal/journal` or
// `./e2e/...`; an empty one stands for all.
func (d declared) in(pkg string, match func(name string) bool) bool {
	pkg, below := strings.CutSuffix(strings.TrimPrefix(pkg, "./"), "...")
	pkg = strings.TrimSuffix(pkg, "/")
	for dir, names := range d {
		if (pkg == "" || dir == pkg || below && strings.HasPrefix(dir, pkg+"/")) && slices.ContainsFunc(names, match) {
			return true
		}
	}
	return false
}

var (
	// token is a test's name, or the package that documents put before names: `internal/journal`: `TestX`, `TestY`.
	token = regexp.MustCompile("`([a-z][a-z0-9/]*)`:|\\b((?:Test|Fuzz)[A-Z]\\w+)")
	// goTest is a command in a document or the Makefile.
	goTest     = regexp.MustCompile("(?:go|\\$\\(GO\\)) test ((?:'[^']*'|[^`|;'])*)")
	runFlag    = regexp.MustCompile(`-(?:run|fuzz)[ =]('[^']+'|\S+)`)
	packageArg = regexp.MustCompile(`(?:^| )(\./\S*)`)
)

func TestDocumentsNameTests(t *testing.T) {
	t.Parallel()
	tests := declaredTests(t)
	for _, f := range files(t, isMarkdown) {
		for i, line := range f.lines() {
			pkg := ""
			for _, m := range token.FindAllStringSubmatch(line, -1) {
				if m[1] != "" {
					pkg = m[1]
					continue
				}
				if !tests.in(pkg, func(name string) bool { return name == m[2] }) {
					t.Errorf("%s:%d: no test %s in %s", f.path, i+1, m[2], cmp.Or(pkg, "any package"))
				}
			}
		}
	}
}

// TestCommandsRunTests checks every `go test` with -run or -fuzz: the pattern matches a test in each named package.
func TestCommandsRunTests(t *testing.T) {
	t.Parallel()
	tests := declaredTests(t)
	commands := 0
	for _, f := range files(t, func(path string) bool { return isMarkdown(path) || path == "Makefile" }) {
		text := strings.ReplaceAll(f.text, "\\\n", "  ")
		for _, line := range strings.Split(text, "\n") {
			for _, command := range goTest.FindAllStringSubmatch(line, -1) {
				m := runFlag.FindStringSubmatch(command[1])
				if m == nil || m[1] == "NAME" {
					continue
				}
				commands++
				pattern, err := regexp.Compile(strings.Trim(m[1], "'"))
				require.NoError(t, err, "%s: %s", f.path, line)
				packages := packageArg.FindAllStringSubmatch(command[1], -1)
				require.NotEmpty(t, packages, "%s: %s", f.path, line)
				for _, pkg := range packages {
					if !tests.in(pkg[1], pattern.MatchString) {
						t.Errorf("%s: no test in %s matches %s", f.path, pkg[1], pattern)
					}
				}
				// Each alternative of a pattern names a test of its own.
				for _, part := range strings.Split(pattern.String(), "|") {
					one := regexp.MustCompile(part)
					if !slices.ContainsFunc(packages, func(pkg []string) bool { return tests.in(pkg[1], one.MatchString) }) {
						t.Errorf("%s: no test matches %s", f.path, one)
					}
				}
			}
		}
	}
	require.Greater(t, commands, 5, "the commands of the Makefile")
}
