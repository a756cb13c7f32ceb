package console

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// gap is the space between two columns.
const gap = "  "

// Column is a column of a table.
type Column struct {
	// Title is above the column; a table whose columns have none has no head.
	Title string
	// Right aligns numbers.
	Right bool
	// Optional leaves the column out of a terminal that is too narrow for all, before anything is shortened.
	Optional bool
	// Min is the width to which the column is shortened at most, as long as others can be shortened more; 0 is 8.
	Min int
	// Width is the width that the column has in a table that prints its rows as they come; wider values only widen their
	// own row where there is no terminal. It is not used by Flush.
	Width int
}

// Cell is a value and its style.
type Cell struct {
	Text  string
	Style Style
}

// Table collects rows and prints them in columns. Use it from one goroutine.
type Table struct {
	screen  Screen
	indent  string
	columns []Column
	rows    [][]Cell
}

// NewTable returns a table without rows.
func (s Screen) NewTable(indent string, columns ...Column) *Table {
	return &Table{screen: s, indent: indent, columns: columns}
}

// Row adds a row; missing cells are empty.
func (t *Table) Row(cells ...Cell) {
	row := make([]Cell, len(t.columns))
	for i := range min(len(cells), len(row)) {
		row[i] = Cell{Escape(cells[i].Text), cells[i].Style}
	}
	t.rows = append(t.rows, row)
}

// Len returns the number of rows since the last Flush.
func (t *Table) Len() int { return len(t.rows) }

// Flush prints the rows that were added since the last Flush, as wide as they need, under the titles of the columns.
func (t *Table) Flush() error {
	rows := t.rows
	t.rows = nil
	head := make([]Cell, len(t.columns))
	titled := false
	for i, c := range t.columns {
		head[i] = Cell{c.Title, Bold}
		titled = titled || c.Title != ""
	}
	if titled {
		rows = append([][]Cell{head}, rows...)
	}
	widths := make([]int, len(t.columns))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(cell.Text))
		}
	}
	return t.print(rows, t.fit(widths))
}

// Stream prints the rows that were added since the last Flush or Stream in the fixed widths of the columns, without
// titles, so that later rows line up with them.
func (t *Table) Stream() error {
	rows := t.rows
	t.rows = nil
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = c.Width
	}
	widths = t.fit(widths)
	if room := t.screen.Width - uniseg.StringWidth(t.indent) - lineWidth(widths); room > 0 {
		widths[len(widths)-1] += room // The last column has all that is left.
	}
	return t.print(rows, widths)
}

// Line prints a line of text: escaped, and in a terminal shortened to its width.
func (s Screen) Line(style Style, text string) {
	text = Escape(text)
	if s.Width > 0 {
		text = Truncate(text, s.Width)
	}
	fmt.Fprintln(s.Out, s.Paint(style, text))
}

// Wrap prints a text that must not be shortened: in a terminal in as many lines as it needs, broken between words. The
// label is before the first line, and as much space before the others. A word that is too long stays whole.
func (s Screen) Wrap(label, text string) {
	line, text := Escape(label), Escape(text)
	if s.Width == 0 {
		fmt.Fprintln(s.Out, line+text)
		return
	}
	indent := uniseg.StringWidth(line)
	room := s.Width - indent
	left := room
	for i, word := range strings.Fields(text) {
		width := uniseg.StringWidth(word)
		switch {
		case i == 0:
		case 1+width <= left:
			line, left = line+" ", left-1
		default:
			fmt.Fprintln(s.Out, line)
			line, left = strings.Repeat(" ", indent), room
		}
		line, left = line+word, left-width
	}
	fmt.Fprintln(s.Out, line)
}

// omitted is the width of a column that is left out.
const omitted = -1

// fit reduces widths until a line fits the terminal.
func (t *Table) fit(widths []int) []int {
	if t.screen.Width <= 0 {
		return widths
	}
	room := t.screen.Width - uniseg.StringWidth(t.indent)
	for i := len(widths) - 1; i >= 0 && lineWidth(widths) > room; i-- {
		if t.columns[i].Optional {
			widths[i] = omitted
		}
	}
	// First down to the minimum of each column, then, in a very narrow terminal, below it.
	for _, floor := range []func(Column) int{func(c Column) int { return max(c.Min, 8) }, func(Column) int { return 1 }} {
		for lineWidth(widths) > room {
			widest := -1
			for i, w := range widths {
				if w > floor(t.columns[i]) && (widest < 0 || w > widths[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			widths[widest]--
		}
	}
	for i := len(widths) - 1; i > 0 && lineWidth(widths) > room; i-- {
		widths[i] = omitted
	}
	return widths
}

func lineWidth(widths []int) int {
	sum, shown := 0, 0
	for _, w := range widths {
		if w != omitted {
			sum, shown = sum+w, shown+1
		}
	}
	return sum + max(shown-1, 0)*len(gap)
}

func (t *Table) print(rows [][]Cell, widths []int) error {
	var out strings.Builder
	for _, row := range rows {
		out.WriteString(t.indent)
		used, pending := 0, 0 // Spaces are written before the next text only, so that no line ends with them.
		for i, cell := range row {
			if widths[i] == omitted {
				continue
			}
			if used++; used > 1 {
				pending += len(gap)
			}
			text := cell.Text
			if t.screen.Width > 0 {
				text = Truncate(text, widths[i])
			}
			pad := max(widths[i]-uniseg.StringWidth(text), 0)
			if t.columns[i].Right {
				pending, pad = pending+pad, 0
			}
			if text != "" {
				out.WriteString(strings.Repeat(" ", pending))
				out.WriteString(t.screen.Paint(cell.Style, text))
				pending = 0
			}
			pending += pad
		}
		out.WriteByte('\n')
	}
	_, err := fmt.Fprint(t.screen.Out, out.String())
	return err
}

// Truncate shortens a text to a number of columns; what it drops is a "…".
func Truncate(text string, width int) string {
	if uniseg.StringWidth(text) <= width {
		return text
	}
	var kept strings.Builder
	used := 0
	for g := uniseg.NewGraphemes(text); g.Next(); {
		if used += g.Width(); used > width-1 {
			break
		}
		kept.WriteString(g.Str())
	}
	if width < 1 {
		return ""
	}
	return kept.String() + "…"
}

// Escape replaces the control characters of a text: a value from outside must not move the cursor of a terminal, nor
// look like several rows.
func Escape(text string) string {
	unsafe := func(r rune) bool {
		return unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.Is(unicode.Bidi_Control, r)
	}
	if strings.IndexFunc(text, unsafe) < 0 {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		if unsafe(r) && r != unicode.ReplacementChar {
			fmt.Fprintf(&out, "\\u%04x", r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}
