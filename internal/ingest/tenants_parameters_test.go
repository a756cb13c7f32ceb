package ingest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// literals returns the string literals in the Go files that match a pattern, tests excluded.
func literals(t *testing.T, pattern string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	out := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if field, ok := n.(*ast.Field); ok {
				field.Tag = nil // Names in answers are no parameters.
			}
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				text, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				out[text] = true
			}
			return true
		})
	}
	require.NotEmpty(t, out)
	return out
}

// Every id that a request can name has a probe in TestRoutesHideOtherSellers. If this test fails, a route reads a new
// one: add it to orderOf, and to the body that carries it.
func TestRoutesProbeEveryParameter(t *testing.T) {
	t.Parallel()
	known := orderOf(attacker, "1")
	id := regexp.MustCompile(`^[a-z][A-Za-z_]*(Id|Ids|ID|_id|_ids|_token|Token)$|^(sku|fsn|id|ids)$`)
	notRead := []string{
		// Attributes of log lines, columns of tables and words of answers, in package ingest.
		"seller_id", "return_id", "service_id", "correlation_id", "shipment_id", "order_id", "after_id",
		"auth_id", "invalid_token",
	}
	for _, pattern := range []string{"*.go", "../marketplace/*.go"} {
		for text := range literals(t, pattern) {
			if id.MatchString(text) && known[text] == "" && !slices.Contains(notRead, text) {
				t.Errorf("%s: %q looks like an id, and no probe sends it", pattern, text)
			}
		}
	}
	sent := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			for name, inner := range v {
				sent[name] = true
				walk(inner)
			}
		case []object:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(call(known, known))
	walk(notification("shipment_created", known))
	for name := range known {
		require.True(t, sent[name] || slices.Contains(notMembers, name), "%s is in no body", name)
	}
	for text := range literals(t, "../marketplace/notification.go") {
		if strings.HasPrefix(text, "shipment_") || strings.HasPrefix(text, "return_") {
			require.True(t, slices.Contains(eventTypes, text) || strings.HasSuffix(text, "_"), "no probe sends %s", text)
		}
	}
	for text := range literals(t, "reads.go") {
		if strings.HasSuffix(text, "Ids") {
			require.Contains(t, queries, text, "no probe sends the query")
		}
	}
}
