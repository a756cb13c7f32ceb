package projections

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// tables holds the columns of each table, by name, in order.
type tables map[string][]column

// column is a column as a view repeats it: definition is its type and comment. A view stores nothing, so it has no
// codec.
type column struct{ name, definition string }

// The migrations keep to one form, a column on each line, so regular expressions are enough to read them; a test checks
// that no column was overlooked.
var (
	createTable = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS (\w+)$`)
	tableColumn = regexp.MustCompile(`^    (\w+) +(\S.*? COMMENT '(?:[^']|'')*')`)
	addColumn   = regexp.MustCompile(`^ALTER TABLE (\w+) ADD COLUMN IF NOT EXISTS (\w+) +(\S.*? COMMENT '(?:[^']|'')*')`)
	placeholder = regexp.MustCompile(`\{\{(columns|names) (\w+)(?: except (\w+))?\}\}`)
)

// read adds the columns of the tables that a migration creates, and those that it adds to older ones.
func (t tables) read(sql string) {
	table := ""
	for line := range strings.Lines(sql) {
		line = strings.TrimSuffix(line, "\n")
		if m := createTable.FindStringSubmatch(line); m != nil {
			table = m[1]
			t[table] = nil
			continue
		}
		if m := addColumn.FindStringSubmatch(line); m != nil {
			t[m[1]] = append(t[m[1]], column{m[2], m[3]})
			continue
		}
		if line == ")" {
			table = "" // The column lines of views look alike.
		}
		if m := tableColumn.FindStringSubmatch(line); m != nil && table != "" {
			t[table] = append(t[table], column{m[1], m[2]})
		}
	}
}

// expand replaces the placeholders of a migration.
func (t tables) expand(file, sql string) (string, error) {
	var err error
	text := placeholder.ReplaceAllStringFunc(sql, func(s string) string {
		m := placeholder.FindStringSubmatch(s)
		columns := slices.DeleteFunc(slices.Clone(t[m[2]]), func(c column) bool { return c.name == m[3] })
		if len(columns) == 0 || m[3] != "" && len(columns) == len(t[m[2]]) {
			err = fmt.Errorf("migration %s: %s names no table, or no column of it", file, s)
		}
		lines, names := make([]string, len(columns)), make([]string, len(columns))
		for i, c := range columns {
			lines[i], names[i] = c.name+" "+c.definition, c.name
		}
		if m[1] == "columns" {
			return strings.Join(lines, ",\n    ")
		}
		return strings.Join(names, ", ")
	})
	if err == nil && strings.Contains(text, "{{") {
		err = fmt.Errorf("migration %s: a placeholder is malformed", file)
	}
	return text, err
}
