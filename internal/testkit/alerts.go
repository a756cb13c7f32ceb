package testkit

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/docs"
)

// Alert is a rule of docs/alerts.yaml.
type Alert struct{ Name, Expr, For string }

// Alerts returns the rules of docs/alerts.yaml.
func Alerts(t testing.TB) []Alert {
	t.Helper()
	var all []Alert
	for line := range strings.SplitSeq(docs.Alerts, "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "- alert":
			all = append(all, Alert{Name: value})
		case "expr":
			all[len(all)-1].Expr = value
		case "for":
			all[len(all)-1].For = value
		}
	}
	require.NotEmpty(t, all)
	return all
}

var (
	metricSelector = regexp.MustCompile(`(orderledger_[a-z_]+)(?:\{([a-z_]+)=~?"([^"]*)"\})?`)
	seriesName     = regexp.MustCompile(`(?m)^(orderledger_[a-z_]+)(\{.*\})? `)
)

// Exposition returns what a registry exports, in the text format.
func Exposition(t testing.TB, reg prometheus.Gatherer) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w,
		httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	require.Equal(t, http.StatusOK, w.Code)
	return w.Body.String()
}

// MissingOfAlerts returns the series that alerts watch and an exposition lacks, of the metrics whose names begin with
// one of the prefixes. A selector with a label needs a series for each of the values that it names. checked counts the
// series that were looked for.
func MissingOfAlerts(t testing.TB, exposition string, prefixes ...string) (missing []string, checked int) {
	t.Helper()
	series := seriesName.FindAllStringSubmatch(exposition, -1)
	has := func(name, label string) bool {
		for _, s := range series {
			if s[1] == name && strings.Contains(s[2], label) {
				return true
			}
		}
		return false
	}
	for _, alert := range Alerts(t) {
		for _, selector := range metricSelector.FindAllStringSubmatch(alert.Expr, -1) {
			name, label := selector[1], selector[2]
			begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
			if !slices.ContainsFunc(prefixes, begins) {
				continue
			}
			for value := range strings.SplitSeq(selector[3], "|") {
				want := ""
				if label != "" {
					want = label + `="` + value + `"`
				}
				checked++
				if !has(name, want) {
					missing = append(missing, name+"{"+want+"}")
				}
			}
		}
	}
	return missing, checked
}
