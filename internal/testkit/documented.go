package testkit

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var memberName = regexp.MustCompile("`(.*?)`")

// operatingPath returns the path of docs/operating.md.
func operatingPath() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "docs", "operating.md")
}

// operatingPage returns docs/operating.md.
func operatingPage(t testing.TB) string {
	t.Helper()
	page, err := os.ReadFile(operatingPath())
	require.NoError(t, err)
	return string(page)
}

// DocumentedMembers returns the members of a file, with their types, from a table of docs/operating.md. first is the
// head of the table's first column.
func DocumentedMembers(t testing.TB, first string) map[string]string {
	t.Helper()
	_, table, found := strings.Cut(operatingPage(t), "\n| "+first+" | Type | Meaning |\n|---|---|---|\n")
	require.True(t, found, first)
	table, _, _ = strings.Cut(table, "\n\n")
	members := map[string]string{}
	for row := range strings.SplitSeq(table, "\n") {
		cells := strings.SplitN(row, " | ", 3)
		require.Len(t, cells, 3, row)
		types := strings.Split(cells[1], ", ")
		for i, name := range memberName.FindAllStringSubmatch(cells[0], -1) {
			members[name[1]] = types[i]
		}
	}
	return members
}

// DocumentedExample returns the first example in JSON below a heading of docs/operating.md.
func DocumentedExample(t testing.TB, heading string) string {
	t.Helper()
	return documentedBlock(t, heading, "json")
}

// DocumentedStatements returns the statements of the first example in SQL below a heading of docs/operating.md, for the
// shipment and in the database that the connection names.
func DocumentedStatements(t testing.TB, heading, shipmentID string) []string {
	t.Helper()
	text := strings.NewReplacer("orderledger.", "", "ship-1", shipmentID).Replace(documentedBlock(t, heading, "sql"))
	var out []string
	for statement := range strings.SplitSeq(text, ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			out = append(out, statement)
		}
	}
	require.NotEmpty(t, out, heading)
	return out
}

// documentedBlock returns the first block in a language below a heading of docs/operating.md.
func documentedBlock(t testing.TB, heading, language string) string {
	t.Helper()
	_, section, found := strings.Cut(operatingPage(t), "\n### "+heading+"\n")
	require.True(t, found, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	_, block, found := strings.Cut(section, "```"+language+"\n")
	require.True(t, found, heading)
	block, _, _ = strings.Cut(block, "```")
	return block
}

// JSONMembers returns the members of a struct in JSON, those of embedded structs included, with their types as the
// documents name them. A type whose name is "duration" is one.
func JSONMembers(of reflect.Type) map[string]string {
	members := map[string]string{}
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			for inner, kind := range JSONMembers(field.Type) {
				members[inner] = kind
			}
			continue
		}
		members[name] = memberType(field.Type)
	}
	return members
}

func memberType(of reflect.Type) string {
	if of.Name() == "duration" {
		return "duration"
	}
	switch of.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "boolean"
	case reflect.Int:
		return "number"
	case reflect.Slice:
		return "list of " + memberType(of.Elem()) + "s"
	default:
		return "object"
	}
}
