package docs_test

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// words splits a text into lower-case words, and identifiers at camelCase and underscores: "ErrNotOwner" is err, not,
// owner.
func words(text string) []string {
	var all []string
	runes := []rune(text)
	for i := 0; i < len(runes); {
		if !unicode.IsLetter(runes[i]) {
			i++
			continue
		}
		begin := i
		for i++; i < len(runes) && unicode.IsLetter(runes[i]); i++ {
			afterLower := unicode.IsUpper(runes[i]) && !unicode.IsUpper(runes[i-1])
			lastOfAcronym := unicode.IsUpper(runes[i]) && unicode.IsUpper(runes[i-1]) &&
				i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if afterLower || lastOfAcronym {
				break
			}
		}
		all = append(all, strings.ToLower(string(runes[begin:i])))
	}
	return all
}

// banned is a line of testdata/words.txt.
type banned struct {
	text  string // A word of prose or of an identifier; or, with a space or an underscore, a phrase.
	after string // The word is allowed after this one; empty for none.
	say   string
}

// in reports whether a line says it. The line comes split into words too.
func (b banned) in(line string, all []string) bool {
	switch {
	case strings.Contains(b.text, " "):
		return strings.Contains(strings.ToLower(line), b.text)
	case strings.Contains(b.text, "_"): // Also as an identifier in camelCase.
		line = strings.ToLower(line)
		return strings.Contains(line, b.text) || strings.Contains(line, strings.ReplaceAll(b.text, "_", ""))
	}
	for i, word := range all {
		if word == b.text && (b.after == "" || i == 0 || all[i-1] != b.after) {
			return true
		}
	}
	return false
}

// exception is a line of testdata/word-exceptions.txt.
type exception struct {
	paths *regexp.Regexp
	word  string
	line  int
	used  bool
}

// fields returns the n tab-separated fields of each line that is not a comment, by line number.
func fields(t *testing.T, name string, n int) map[int][]string {
	t.Helper()
	text, err := os.ReadFile(path.Join("testdata", name))
	require.NoError(t, err)
	out := map[int][]string{}
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		out[i+1] = strings.FieldsFunc(line, func(r rune) bool { return r == '\t' })
		require.Len(t, out[i+1], n, "testdata/%s:%d: fields are separated by tabs", name, i+1)
	}
	return out
}

func readBanned(t *testing.T) []banned {
	t.Helper()
	var all []banned
	for _, f := range fields(t, "words.txt", 2) {
		b := banned{text: f[0], say: f[1]}
		if after, text, found := strings.Cut(f[0], ") "); found {
			b.after, b.text = strings.TrimPrefix(after, "("), text
		}
		all = append(all, b)
	}
	return all
}

// readExceptions reads globs in which ** matches any path and * anything without a slash.
func readExceptions(t *testing.T) []*exception {
	t.Helper()
	var all []*exception
	for line, f := range fields(t, "word-exceptions.txt", 3) {
		glob := regexp.QuoteMeta(f[0])
		glob = strings.ReplaceAll(glob, `\*\*`, ".*")
		glob = strings.ReplaceAll(glob, `\*`, "[^/]*")
		all = append(all, &exception{paths: regexp.MustCompile("^" + glob + "$"), word: f[1], line: line})
	}
	return all
}

// TestWords checks that the repository's own files use the field's words, and not those that they replaced. Standard
// terms and names of libraries are exceptions, each with its reason.
func TestWords(t *testing.T) {
	t.Parallel()
	list, exceptions := readBanned(t), readExceptions(t)
	excepted := func(path, word string) (any bool) {
		for _, e := range exceptions {
			if e.word == word && e.paths.MatchString(path) {
				e.used, any = true, true
			}
		}
		return any
	}
	check := func(f file, number int, line string) {
		all := words(line)
		for _, b := range list {
			if b.in(line, all) && !excepted(f.path, b.text) {
				t.Errorf("%s:%d: do not say %q, say: %s", f.path, number, b.text, b.say)
			}
		}
	}
	for _, f := range files(t, func(p string) bool {
		return slices.Contains([]string{".go", ".md", ".proto", ".sql", ".yml"}, path.Ext(p)) ||
			slices.Contains([]string{"Makefile", "Dockerfile", ".ci/run"}, p)
	}) {
		check(f, 1, path.Base(f.path))
		for i, line := range f.lines() {
			check(f, i+1, line)
		}
	}
	for _, e := range exceptions {
		if !e.used {
			t.Errorf("docs/testdata/word-exceptions.txt:%d: nothing uses this exception any more", e.line)
		}
	}
}

func TestWordsSplitIdentifiers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ErrNotOwner":         "err not owner",
		"HTTPServer, httpX":   "http server http x",
		"hold_reported_at":    "hold reported at",
		"`doThis` isn't v2.1": "do this isn t v",
	} {
		require.Equal(t, want, strings.Join(words(text), " "), text)
	}
}
