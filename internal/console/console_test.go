package console_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/console"
)

func cells(texts ...string) []console.Cell {
	var row []console.Cell
	for _, text := range texts {
		row = append(row, console.Cell{Text: text})
	}
	return row
}

func TestTableFitsAnyWidth(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 50)
	hindi := "सूती कपड़े का थैला, बड़ा आकार, नीला रंग, धोने योग्य, दो जेब"
	for width := 1; width <= 200; width++ {
		var out bytes.Buffer
		table := console.Screen{Out: &out, Width: width}.NewTable("  ",
			console.Column{Title: "when", Min: 19}, console.Column{Title: "n", Right: true},
			console.Column{Title: "where", Optional: true}, console.Column{Title: "what"})
		table.Row(cells("2026-11-01 04:30:00", "1", "lane 2", hindi)...)
		table.Row(cells("2026-11-01 04:30:00", "12345678", "lane 2", long)...)
		table.Row(cells("宽宽宽宽宽宽宽宽宽宽宽宽", "", "", "🇮🇳🇮🇳🇮🇳🇮🇳")...)
		require.NoError(t, table.Flush())
		for line := range strings.Lines(out.String()) {
			require.LessOrEqual(t, uniseg.StringWidth(strings.TrimSuffix(line, "\n")), max(width, 3), "%d: %q", width, line)
			require.Equal(t, strings.TrimRight(line, " \n"), strings.TrimSuffix(line, "\n"), "no spaces at the end")
		}
		require.Equal(t, 4, strings.Count(out.String(), "\n"))
	}
}

func TestTableOmitsThenShortens(t *testing.T) {
	t.Parallel()
	printed := func(width int) string {
		var out bytes.Buffer
		table := console.Screen{Out: &out, Width: width}.NewTable("",
			console.Column{Title: "id"}, console.Column{Title: "lane", Right: true, Optional: true}, console.Column{Title: "status", Min: 10})
		table.Row(cells("0123456789abcdef", "2", "APPROVED → PACKED")...)
		table.Row(cells("x", "12", "CANCELLED")...)
		require.NoError(t, table.Flush())
		return out.String()
	}
	full := "id                lane  status\n0123456789abcdef     2  APPROVED → PACKED\nx                   12  CANCELLED\n"
	require.Equal(t, full, printed(0))
	require.Equal(t, full, printed(41))
	require.Equal(t, "id                status\n0123456789abcdef  APPROVED → PACKED\nx                 CANCELLED\n", printed(40))
	require.Equal(t, "id             status\n0123456789ab…  APPROVED → P…\nx              CANCELLED\n", printed(28))
	require.Equal(t, "id        status\n0123456…  APPROVED …\nx         CANCELLED\n", printed(20))
}

func TestTableStreamsInFixedWidths(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	columns := []console.Column{{Width: 4}, {Width: 3}, {Width: 10}}
	table := console.Screen{Out: &out}.NewTable("", columns...)
	table.Row(cells("a", "b", "c")...)
	require.NoError(t, table.Stream())
	table.Row(cells("abcdefgh", "b", "c")...)
	require.NoError(t, table.Stream())
	require.Equal(t, "a     b    c\nabcdefgh  b    c\n", out.String(), "full values without a terminal")

	out.Reset()
	table = console.Screen{Out: &out, Width: 26}.NewTable("", columns...)
	table.Row(cells("abcdefgh", "b", "the last column has all")...)
	require.NoError(t, table.Stream())
	require.Equal(t, "abc…  b    the last colum…\n", out.String())
}

func TestScreenWrapsBetweenWords(t *testing.T) {
	t.Parallel()
	printed := func(width int, text string) string {
		var out bytes.Buffer
		console.Screen{Out: &out, Width: width}.Wrap("intake  ", text)
		return out.String()
	}
	const text = "open: notifications need no credential  (--open=false)"
	require.Equal(t, "intake  "+text+"\n", printed(0, text), "a pipe gets one line")
	require.Equal(t, "intake  open: notifications need\n        no credential\n        (--open=false)\n", printed(32, text))
	require.Equal(t, "intake  open: notifications\n        need no credential\n        (--open=false)\n", printed(31, text))
	require.Equal(t, "intake  ab\n        a-long-word\n        c\n", printed(12, "ab a-long-word c"), "a word stays whole")
	require.Equal(t, "intake  \n", printed(12, ""))
	require.Equal(t, "intake  宽宽宽\n        宽宽\n", printed(15, "宽宽宽 宽宽"))
	require.Equal(t, "intake  \\u001b[2J\n", printed(80, "\x1b[2J"), "it is escaped")
}

// A value from outside can't move the cursor, colour the screen or add a row.
func TestTableEscapesControls(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	table := console.Screen{Out: &out, Colour: true}.NewTable("", console.Column{})
	table.Row(console.Cell{Text: "a\x1b[2Jb\nc\u202ed\u009be\x7f", Style: console.Bad})
	require.NoError(t, table.Flush())
	require.Equal(t, "\x1b[31m"+`a\u001b[2Jb\u000ac\u202ed\u009be\u007f`+"\x1b[0m\n", out.String())
}

// A line holds values too, such as the id of a shipment.
func TestScreenLine(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		width      int
		text, want string
	}{
		{0, "shipment a\x1b[2J\nb, a long line", `shipment a\u001b[2J\u000ab, a long line` + "\n"},
		{12, "shipment a\x1b[2J", `shipment a\…` + "\n"},
		{12, "twelve wide!", "twelve wide!\n"},
		{7, "宽宽宽宽", "宽宽宽…\n"},
	} {
		var out bytes.Buffer
		console.Screen{Out: &out, Width: tc.width}.Line(console.Bold, tc.text)
		require.Equal(t, tc.want, out.String())
		out.Reset()
		console.Screen{Out: &out, Width: tc.width, Colour: true}.Line(console.Bold, tc.text)
		require.Equal(t, "\x1b[1m"+strings.TrimSuffix(tc.want, "\n")+"\x1b[0m\n", out.String())
	}
}

func TestScreenColourConventions(t *testing.T) {
	t.Parallel()
	file, err := os.Create(t.TempDir() + "/out")
	require.NoError(t, err)
	defer file.Close()
	for _, tc := range []struct {
		name     string
		noColour bool
		env      map[string]string
		colour   bool
	}{
		{"a pipe is plain", false, nil, false},
		{"CLICOLOR alone does not colour a pipe", false, map[string]string{"CLICOLOR": "1"}, false},
		{"CLICOLOR_FORCE colours a pipe", false, map[string]string{"CLICOLOR_FORCE": "1", "TERM": "dumb"}, true},
		{"CLICOLOR_FORCE=0 does not", false, map[string]string{"CLICOLOR_FORCE": "0"}, false},
		{"NO_COLOR wins", false, map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, false},
		{"an empty NO_COLOR is none", false, map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": ""}, true},
		{"--no-color wins", true, map[string]string{"CLICOLOR_FORCE": "1"}, false},
	} {
		s := console.NewScreen(file, tc.noColour, func(name string) string { return tc.env[name] })
		require.Equal(t, tc.colour, s.Colour, tc.name)
		require.Zero(t, s.Width, "a file has full values")
	}
}
