package testkit

import (
	"fmt"
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
	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
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

// labelOf returns the label of a metric that a rule reads without naming its series, and its values. Each of those
// series has to exist from the start: increase() misses the first step of a series that appears with it. Without values
// the series are those of what runs, such as lanes, and one stands for all.
func labelOf(t testing.TB, metric string) (label string, values []string) {
	t.Helper()
	switch strings.TrimPrefix(metric, "orderledger_") {
	case "ingest_overload_refused_total":
		return "limit", []string{"connections", "bodies", "peer_bodies"}
	case "ingest_peer_requests_refused_total":
		return "reason", []string{"unsigned", "old", "wrong"}
	case "journal_takeovers_total":
		return "result", []string{"opened", "failed"}
	case "journal_torn_decisions_total":
		return "how", []string{"marker", "voided", "restored"}
	case "kafka_surplus_records":
		for _, topic := range kafka.Topics() {
			values = append(values, topic.Name)
		}
		return "topic", values
	case "projector_insert_errors_total":
		return "table", []string{
			"events", "decisions_history", "decision_voids", "shipments_state", "order_items_state", "services_state",
			"returns_state", "sla_clocks", "dead_letters_history",
		}
	case "projector_dead_letters_total":
		return "topic", []string{events.TopicEvents, events.TopicDecisions}
	case "emitter_dead_letters_total":
		return "reason", []string{"unknown_type", "undecodable", "no_laneseq", "too_large", "failed"}
	case "projector_lag_records":
		return "partition", nil
	case "kafka_disk_usable_bytes", "kafka_disk_total_bytes":
		return "broker", nil
	case "emitter_lag_records", "emitter_oldest_waiting_seconds":
		return "endpoint", nil
	case "journal_commit_seconds_bucket":
		return "le", nil
	case "journal_damaged", "journal_inbox_lag", "journal_standby_lag", "journal_waiting":
		return "lane", nil
	case "journal_left_out_total", "journal_lanes_assigned", "journal_lanes_open", "journal_too_large_total",
		"ingest_disk_full", "kafka_clock_ahead_seconds":
		return "", nil
	}
	require.Fail(t, "a rule reads a metric whose series labelOf does not know: add it", metric)
	return "", nil
}

// MissingOfAlerts returns the series that alerts read and an exposition lacks, of the metrics whose names begin with
// one of the prefixes: each value that a selector names, or each of the metric's label. It also returns those that
// labelOf does not know, as unknown. checked counts the series that were looked for.
func MissingOfAlerts(t testing.TB, exposition string, prefixes ...string) (missing []string, checked int) {
	t.Helper()
	series := seriesName.FindAllStringSubmatch(exposition, -1)
	for _, alert := range Alerts(t) {
		for _, selector := range metricSelector.FindAllStringSubmatch(alert.Expr, -1) {
			name, label, values := selector[1], selector[2], strings.Split(selector[3], "|")
			begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
			if !slices.ContainsFunc(prefixes, begins) {
				continue
			}
			all := label == ""
			if all {
				label, values = labelOf(t, name)
			}
			var exist []string
			for _, s := range series {
				if s[1] == name {
					exist = append(exist, labelValue(s[2], label))
				}
			}
			if len(values) == 0 { // Any stands for all, but for those of other labels.
				checked++
				if len(exist) == 0 || slices.Contains(exist, "") != (label == "") {
					missing = append(missing, name)
				}
				continue
			}
			for _, value := range values {
				checked++
				if !slices.Contains(exist, value) {
					missing = append(missing, fmt.Sprintf("%s{%s=%q}", name, label, value))
				}
			}
			for _, value := range exist {
				if all && !slices.Contains(values, value) {
					missing = append(missing, fmt.Sprintf("unknown: %s{%s=%q}", name, label, value))
				}
			}
		}
	}
	return missing, checked
}

// labelValue returns the value of a label in the braces of a series; empty without it.
func labelValue(braces, label string) string {
	_, after, found := strings.Cut(strings.Replace(braces, "{", ",", 1), ","+label+`="`)
	if !found || label == "" {
		return ""
	}
	value, _, _ := strings.Cut(after, `"`)
	return value
}
