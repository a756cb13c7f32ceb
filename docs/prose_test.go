package docs_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// maxLine is the most characters of a line of prose.
const maxLine = 120

// onlyLink is a line that can't be broken: a link, or the target of one.
var onlyLink = regexp.MustCompile(`^\s*(?:[-*] |\d+\. )?(?:!?\[[^\]]*\]\([^)]*\)|\[[^\]]*\]: \S+|<?https?://\S+)[.,;:]?$`)

// TestProseLineLength leaves out tables, code and links, which can't be wrapped.
func TestProseLineLength(t *testing.T) {
	t.Parallel()
	for _, f := range files(t, isMarkdown) {
		fenced := false
		for i, line := range f.lines() {
			switch text := strings.TrimSpace(line); {
			case strings.HasPrefix(text, "```"):
				fenced = !fenced
			case fenced, strings.HasPrefix(text, "|"), onlyLink.MatchString(line):
			case utf8.RuneCountInString(line) > maxLine:
				t.Errorf("%s:%d: %d characters, more than %d", f.path, i+1, utf8.RuneCountInString(line), maxLine)
			}
		}
	}
}

// TestGlossaryTermsOccurInCode compares the first column of the glossary with identifiers and comments. Terms for one
// row are separated by slashes and commas.
func TestGlossaryTermsOccurInCode(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	for _, f := range files(t, func(path string) bool {
		return strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".proto") || strings.HasSuffix(path, ".sql")
	}) {
		code.WriteByte(' ')
		code.WriteString(strings.Join(words(f.text), " "))
	}
	terms := 0
	for _, f := range files(t, func(path string) bool { return path == "docs/glossary.md" }) {
		for i, line := range f.lines() {
			cells := strings.Split(line, "|")
			if len(cells) < 3 || i == 0 || strings.HasPrefix(strings.TrimSpace(cells[1]), "-") || strings.TrimSpace(cells[1]) == "Word" {
				continue
			}
			for _, term := range strings.FieldsFunc(cells[1], func(r rune) bool { return r == '/' || r == ',' }) {
				terms++
				// The beginning of a word is enough: plurals and verbs count.
				if !strings.Contains(code.String(), " "+strings.Join(words(term), " ")) {
					t.Errorf("docs/glossary.md:%d: no code uses %q", i+1, strings.TrimSpace(term))
				}
			}
		}
	}
	require.Greater(t, terms, 20, "the terms of the glossary")
}
