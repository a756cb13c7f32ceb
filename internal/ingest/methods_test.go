package ingest_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRoutesRefuseOtherMethods sends methods that no route takes to every path.
func TestRoutesRefuseOtherMethods(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	served := map[string][]string{}
	for _, pattern := range b.ingest.Patterns() {
		method, path, found := strings.Cut(pattern, " ")
		if !found {
			continue // The route of everything else.
		}
		path = regexp.MustCompile(`\{\w+\}`).ReplaceAllString(strings.TrimSuffix(path, "{$}"), "X1")
		served[path] = append(served[path], method)
	}
	require.Greater(t, len(served), 25)
	others := []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodConnect}
	for path, methods := range served {
		for _, method := range others {
			answer := b.send(method, path, "", bearer(ownToken)...)
			require.Equal(t, http.StatusMethodNotAllowed, answer.status, "%s %s: %s", method, path, answer.body)
			require.Equal(t, "METHOD_NOT_ALLOWED", answer.member(t, "errorCode"))
			allowed := strings.Split(answer.header.Get("Allow"), ", ")
			for _, m := range methods {
				require.True(t, slices.Contains(allowed, m), "%s takes %s, not only %s", path, m, allowed)
			}
		}
	}
}
