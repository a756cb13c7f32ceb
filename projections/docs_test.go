package projections_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/projections"
)

var update = flag.Bool("update", false, "rewrite docs/tables.md and the golden files")

const (
	tablesPage  = "../docs/tables.md"
	tablesBegin = "<!-- generated from the migrations: begin -->\n"
	tablesEnd   = "<!-- generated: end -->\n"
)

// relation is a table or a view as its CREATE statement describes it.
type relation struct {
	name, comment, engine, order, partition string
	view                                    bool
	columns                                 []column
}

type column struct{ name, kind, comment string }

const quoted = `'((?:[^']|'')*)'`

var (
	created    = regexp.MustCompile(`^CREATE (?:TABLE IF NOT EXISTS|OR REPLACE (VIEW)) (\w+)$`)
	columnLine = regexp.MustCompile(`^    (\w+) +(\S.*?) COMMENT ` + quoted)
	notColumn  = regexp.MustCompile(`^    (INDEX|PROJECTION) `)
	addedLine  = regexp.MustCompile(`^ALTER TABLE (\w+) ADD COLUMN IF NOT EXISTS (\w+) +(\S.*?) COMMENT ` + quoted)
	clause     = regexp.MustCompile(`^(ENGINE = |ORDER BY |PARTITION BY |COMMENT )(.*?);?$`)
)

// readRelations reads the CREATE statements of the migrations; a later one of a name replaces the one before.
func readRelations(t *testing.T) []relation {
	t.Helper()
	names, err := fs.Glob(projections.Migrations(), "*.sql")
	require.NoError(t, err)
	slices.Sort(names)
	var all []relation
	for _, name := range names {
		text, err := fs.ReadFile(projections.Migrations(), name)
		require.NoError(t, err)
		var now *relation
		inColumns := false
		for n, line := range strings.Split(string(text), "\n") {
			if m := created.FindStringSubmatch(line); m != nil {
				all = slices.DeleteFunc(all, func(r relation) bool { return r.name == m[2] })
				all = append(all, relation{name: m[2], view: m[1] != ""})
				now = &all[len(all)-1]
				continue
			}
			if m := addedLine.FindStringSubmatch(line); m != nil {
				i := slices.IndexFunc(all, func(r relation) bool { return r.name == m[1] })
				all[i].columns = append(all[i].columns, column{m[2], m[3], unquote(m[4])})
				continue
			}
			switch {
			case now == nil:
			case line == "(":
				inColumns = true
			case line == ")":
				inColumns = false
			case inColumns && !notColumn.MatchString(line):
				m := columnLine.FindStringSubmatch(line)
				require.NotNil(t, m, "%s line %d: a column needs its name, its type and a comment: %s", name, n+1, line)
				now.columns = append(now.columns, column{m[1], m[2], unquote(m[3])})
			case !inColumns:
				now.clause(line)
			}
		}
	}
	return all
}

func (r *relation) clause(line string) {
	m := clause.FindStringSubmatch(line)
	if m == nil {
		return
	}
	switch m[1] {
	case "ENGINE = ":
		r.engine = m[2]
	case "ORDER BY ":
		r.order = m[2]
	case "PARTITION BY ":
		r.partition = m[2]
	case "COMMENT ":
		r.comment = unquote(strings.TrimSuffix(strings.TrimPrefix(m[2], "'"), "'"))
	}
}

func unquote(s string) string { return strings.ReplaceAll(s, "''", "'") }

func cellText(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// tablesText is the generated part of the page: first the relations to query, then the tables behind them.
func tablesText(all []relation) string {
	var read []relation
	for _, r := range all {
		if r.view || r.name == "events" {
			read = append(read, r)
		}
	}
	var b strings.Builder
	fmt.Fprint(&b, "\n## Views and tables to query\n\n| Name | One row is |\n|---|---|\n")
	for _, r := range read {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", r.name, r.name, cellText(r.comment))
	}
	for _, r := range read {
		fmt.Fprintf(&b, "\n### %s\n\n%s.\n\n| Column | Type | Meaning |\n|---|---|---|\n", r.name, r.comment)
		for _, c := range r.columns {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.name, cellText(c.kind), cellText(c.comment))
		}
	}
	fmt.Fprint(&b, "\n## Tables behind the views\n\nThese tables hold superseded and repeated rows. Query the views instead.\n\n",
		"| Table | Engine | Order | Partition | Comment |\n|---|---|---|---|---|\n")
	for _, r := range all {
		if r.view {
			continue
		}
		partition := "none"
		if r.partition != "" {
			partition = "`" + r.partition + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n", r.name, r.engine, r.order, partition, cellText(r.comment))
	}
	return b.String() + "\n"
}

// TestTablesPage compares docs/tables.md with the migrations.
func TestTablesPage(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(tablesPage)
	require.NoError(t, err)
	head, rest, ok := strings.Cut(string(b), tablesBegin)
	require.True(t, ok, "%s lacks the line %s", tablesPage, tablesBegin)
	_, tail, ok := strings.Cut(rest, tablesEnd)
	require.True(t, ok, "%s lacks the line %s", tablesPage, tablesEnd)
	want := head + tablesBegin + tablesText(readRelations(t)) + tablesEnd + tail
	if *update {
		require.NoError(t, os.WriteFile(tablesPage, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(b), "the page is stale: go test ./projections -run TablesPage -update")
}

// TestMigrationsCommentEverything checks that every table, view and column has a comment.
func TestMigrationsCommentEverything(t *testing.T) {
	t.Parallel()
	all := readRelations(t)
	require.NotEmpty(t, all)
	for _, r := range all {
		require.NotEmpty(t, r.comment, "%s has no comment", r.name)
		require.NotEmpty(t, r.columns, "%s has no columns", r.name)
		for _, c := range r.columns {
			require.NotEmpty(t, c.comment, "%s.%s has no comment", r.name, c.name)
		}
	}
}
