package alertstest_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/stretchr/testify/require"
)

// cases of a rule are lists of series in the notation of promtool: two hours, a sample a minute. Counters begin at 0, as
// the programs export them. In each bad one the alert fires with exactly these labels, beside its own; in a good one it
// never does. Good ones are as close to the bad ones as they can be: at the threshold, and bad for a minute less than
// the rule waits.
type cases struct {
	bad  map[string][]labels // By series.
	good []string
}

type labels = map[string]string

const (
	calm  = "0+0x120"
	once  = "0+0x110 1+0x9" // A single step from 0, ten minutes before the end.
	grows = "0+5x120"       // Five a minute.
	reset = "7+0x60 0+0x59" // A restart, after steps that are two hours old.
)

// several joins series.
func several(series ...string) string { return strings.Join(series, "\n  ") }

// bad is one bad case with one alert.
func bad(series string, with labels) map[string][]labels { return map[string][]labels{series: {with}} }

// brief holds a value for a number of samples, between two of another.
func brief(usual, value string, samples int) string {
	return fmt.Sprintf("%s+0x59 %s+0x%d %s+0x%d", usual, value, samples-1, usual, 60-samples)
}

// durations are the buckets of the histogram of commits around the threshold. All commits take between two of them.
func durations(from, to string) string {
	const name = "orderledger_journal_commit_seconds_bucket"
	var series []string
	counted := false
	for _, le := range []string{"0.256", "0.512", "1.024", "+Inf"} {
		values := calm
		if counted = counted || le == to; counted {
			values = grows
		}
		series = append(series, name+`{le="`+le+`"} `+values)
		if le == from {
			counted = false
		}
	}
	return several(series...)
}

// commits are the buckets of the histogram of commits by their counts: of those up to a quarter of a second, up to half a
// second, and all, of which none takes more than a second.
func commits(quarter, half, all string) string {
	const name = "orderledger_journal_commit_seconds_bucket"
	return several(name+`{le="0.256"} `+quarter, name+`{le="0.512"} `+half, name+`{le="1.024"} `+all, name+`{le="+Inf"} `+all)
}

func rules() map[string]cases {
	const journal, ingest = "orderledger_journal_", "orderledger_ingest_"
	const projector, emitter = "orderledger_projector_", "orderledger_emitter_"
	open := func(a, b string) string {
		return several(journal+`lanes_open{instance="a"} `+a, journal+`lanes_open{instance="b"} `+b)
	}
	assigned := func(values string) string {
		return several(journal+`lanes_assigned{instance="a"} 6+0x120`, journal+`lanes_open{instance="a"} `+values,
			journal+`lanes_assigned{instance="b"} 6+0x120`, journal+`lanes_open{instance="b"} 6+0x120`)
	}
	return map[string]cases{
		"OrderledgerLaneWithoutAnOwner": {
			bad: map[string][]labels{
				open("6+0x120", "5+0x120"):             {{}},
				open("6+0x120", "6+0x60 5+0x1 6+0x57"): {{}},
				open("12+0x5", "stale"):                {{}}, // All instances are gone, and with them their series.
			},
			good: []string{open("6+0x120", "6+0x120"), open("6+0x120", brief("6", "5", 1)), open("12+0x120", calm)},
		},
		"OrderledgerLaneDamaged": {
			bad: map[string][]labels{
				several(journal+`damaged{lane="3",instance="a"} `+once, journal+`damaged{lane="3",instance="b"} `+once,
					journal+`damaged{lane="4",instance="a"} 0+0x120`): {{"lane": "3"}},
			},
			good: []string{journal + `damaged{lane="3"} ` + calm},
		},
		"OrderledgerAssignedLaneClosed": {
			bad:  bad(assigned("6+0x60 5+0x1 6+0x57"), labels{"instance": "a"}),
			good: []string{assigned("6+0x120"), assigned(brief("6", "5", 1)), assigned("7+0x120")},
		},
		"OrderledgerLanesKeepMoving": {
			bad: bad(journal+`takeovers_total{result="opened"} `+grows, labels{"result": "opened"}),
			// A deploy moves twelve lanes twice within the hour.
			good: []string{journal + `takeovers_total{result="opened"} 0+0x30 12+0x20 24+0x67`, journal + `takeovers_total{result="opened"} 0+2x120`},
		},
		"OrderledgerClockOff": {
			bad: map[string][]labels{
				"orderledger_kafka_clock_ahead_seconds -11+0x120":              {{}},
				"orderledger_kafka_clock_ahead_seconds " + brief("0", "11", 6): {{}},
			},
			good: []string{
				"orderledger_kafka_clock_ahead_seconds 10+0x120", "orderledger_kafka_clock_ahead_seconds -10+0x120",
				"orderledger_kafka_clock_ahead_seconds " + brief("0", "11", 5), "orderledger_kafka_clock_ahead_seconds NaN NaN NaN NaN NaN NaN NaN",
			},
		},
		"OrderledgerInboxNotDecided": {
			bad: map[string][]labels{
				several(journal+`inbox_lag{lane="0"} 1001+0x120`, journal+`inbox_lag{lane="1"} 0+0x120`): {{"lane": "0"}},
				journal + `inbox_lag{lane="0"} ` + brief("0", "20000", 6):                                {{"lane": "0"}},
			},
			good: []string{journal + `inbox_lag{lane="0"} 1000+0x120`, journal + `inbox_lag{lane="0"} ` + brief("0", "20000", 5)},
		},
		"OrderledgerOverloadRefused": {
			bad: map[string][]labels{
				several(ingest+`overload_refused_total{limit="bodies"} 0+0x117 1+0x2`, ingest+`overload_refused_total{limit="connections"} `+calm): {{"limit": "bodies"}},
				ingest + `overload_refused_total{limit="connections"} 3+0x60 4+0x59`:                                                               {{"limit": "connections"}},
			},
			good: []string{ingest + `overload_refused_total{limit="bodies"} ` + calm, ingest + `overload_refused_total{limit="bodies"} ` + reset},
		},
		"OrderledgerSellersFileRefused": {
			bad:  bad(`orderledger_sellers_file_refused{instance="a"} `+brief("0", "1", 1), labels{"instance": "a"}),
			good: []string{"orderledger_sellers_file_refused " + calm},
		},
		"OrderledgerRecordsAstray": {
			bad: bad(several(`orderledger_kafka_surplus_records{topic="orders.inbox.v1"} `+once, `orderledger_kafka_surplus_records{topic="orders.events.v1"} `+calm),
				labels{"topic": "orders.inbox.v1"}),
			good: []string{`orderledger_kafka_surplus_records{topic="orders.inbox.v1"} ` + calm},
		},
		"OrderledgerCommitsSlow": {
			bad: map[string][]labels{
				durations("0.512", "1.024"): {{}},
				durations("0.256", "0.512"): {{}}, // The 99th percentile is 0.509 s.
			},
			good: []string{
				durations("", "0.256"),
				commits("0+81x120", "0+100x120", "0+100x120"), // It is 0.499 s.
				commits(calm, calm, "0+0x59 5 10+0x59"),       // It is slow for a minute less than five.
				several(journal+`commit_seconds_bucket{le="0.512"} `+calm, journal+`commit_seconds_bucket{le="+Inf"} `+calm),
			},
		},
		"OrderledgerCommitsWithoutAnOutcome": {
			bad:  bad(several(journal+`batches_total{result="unknown"} 0+1x120`, journal+`batches_total{result="committed"} `+grows), labels{"result": "unknown"}),
			good: []string{journal + `batches_total{result="unknown"} 0+0x60 5+0x59`, journal + `batches_total{result="committed"} ` + grows},
		},
		"OrderledgerTornTransactionsRepaired": {
			bad: map[string][]labels{
				journal + `torn_decisions_total{how="marker"} ` + once: {{"how": "marker"}},
				several(journal+`torn_decisions_total{how="voided"} `+once, journal+`torn_decisions_total{how="restored"} `+grows,
					journal+`torn_decisions_total{how="marker"} `+calm): {{"how": "voided"}, {"how": "restored"}},
			},
			good: []string{journal + `torn_decisions_total{how="marker"} ` + calm, journal + `torn_decisions_total{how="marker"} ` + reset},
		},
		"OrderledgerInputsQuarantined": {
			bad:  bad(journal+`decisions_total{outcome="quarantined"} `+once, labels{"outcome": "quarantined"}),
			good: []string{journal + `decisions_total{outcome="applied"} ` + grows, journal + `decisions_total{outcome="quarantined"} ` + reset},
		},
		"OrderledgerShipmentTooLarge": {
			bad:  bad(journal+`too_large_total{instance="a"} `+once, labels{"instance": "a"}),
			good: []string{journal + "too_large_total " + calm, journal + "too_large_total " + reset},
		},
		"OrderledgerPartsLeftOut": {
			bad:  bad(journal+"left_out_total 0+2x120", labels{}),
			good: []string{journal + "left_out_total " + once, journal + "left_out_total 0+0x60 100+0x59"},
		},
		"OrderledgerFactsWaiting": {
			bad:  bad(several(journal+`waiting{lane="0"} 0+0x30 1001+0x60 0+0x28`, journal+`waiting{lane="1"} 1000+0x120`), labels{"lane": "0"}),
			good: []string{journal + `waiting{lane="0"} 0+0x30 1001+0x59 0+0x29`},
		},
		"OrderledgerInstanceUnreachable": {
			bad: map[string][]labels{
				several(ingest+`retries_total{reason="owner_unreachable"} `+grows, ingest+`retries_total{reason="unreachable"} 0+2x120`,
					ingest+`retries_total{reason="refused"} 0+0x60 20+0x59`, ingest+`retries_total{reason="lane_moving"} `+grows): {
					{"reason": "owner_unreachable"}, {"reason": "unreachable"}, {"reason": "refused"},
				},
				ingest + `retries_total{reason="refused"} 0+1.05x120`: {{"reason": "refused"}}, // 10.5 in ten minutes.
			},
			// The word must be the whole reason; a restart of an instance is a few retries.
			good: []string{
				ingest + `retries_total{reason="lane_moving"} ` + grows, ingest + `retries_total{reason="not_owner"} ` + grows,
				ingest + `retries_total{reason="refused"} 0+0.99x120`, // 9.9 in ten minutes.
			},
		},
		"OrderledgerPeerRequestsRefused": {
			bad: bad(several(ingest+`peer_requests_refused_total{reason="old"} 0+0x115 1+0x4`, ingest+`peer_requests_refused_total{reason="wrong"} `+calm),
				labels{"reason": "old"}),
			good: []string{ingest + `peer_requests_refused_total{reason="old"} ` + calm, ingest + `peer_requests_refused_total{reason="old"} ` + reset},
		},
		"OrderledgerTablesBehind": {
			bad: bad(several(projector+`lag_records{topic="orders.events.v1",partition="0"} `+brief("0", "10001", 6),
				projector+`lag_records{topic="orders.events.v1",partition="1"} 10000+0x120`), labels{"topic": "orders.events.v1", "partition": "0"}),
			good: []string{projector + `lag_records{topic="orders.events.v1",partition="0"} ` + brief("0", "20000", 5)},
		},
		"OrderledgerInsertsFailing": {
			bad: map[string][]labels{
				several(projector+`insert_errors_total{table="events"} `+grows, projector+`insert_errors_total{table="sla_clocks"} `+calm): {{"table": "events"}},
				projector + `insert_errors_total{table="events"} 0+0.19x120`:                                                               {{"table": "events"}}, // Less than one in five minutes.
			},
			good: []string{projector + `insert_errors_total{table="events"} 0+0x59 1 2+0x59`, projector + `insert_errors_total{table="events"} ` + reset},
		},
		"OrderledgerUndecodableRecords": {
			bad: map[string][]labels{
				several(projector+`dead_letters_total{topic="orders.events.v1"} `+once, emitter+`dead_letters_total{reason="undecodable"} `+calm): {{"topic": "orders.events.v1"}},
				several(projector+`dead_letters_total{topic="orders.events.v1"} `+calm, emitter+`dead_letters_total{reason="undecodable"} `+once): {{"reason": "undecodable"}},
			},
			good: []string{several(projector+`dead_letters_total{topic="orders.events.v1"} `+calm, emitter+`dead_letters_total{reason="undecodable"} `+reset)},
		},
		"OrderledgerEndpointDown": {
			bad: bad(several(emitter+`oldest_waiting_seconds{endpoint="wms"} 0+60x120`, emitter+`oldest_waiting_seconds{endpoint="erp"} 600+0x120`),
				labels{"endpoint": "wms"}),
			good: []string{emitter + `oldest_waiting_seconds{endpoint="wms"} 600+0x120`},
		},
		"OrderledgerDiskFull": {
			bad:  bad(several(ingest+`disk_full{instance="a"} 1+0x120`, ingest+`disk_full{instance="b"} `+calm), labels{"instance": "a"}),
			good: []string{ingest + `disk_full{instance="a"} ` + calm},
		},
		"OrderledgerBrokerDiskNearlyFull": {
			bad: bad(several(
				`orderledger_kafka_disk_usable_bytes{broker="1",dir="/a"} `+brief("50", "9", 11), `orderledger_kafka_disk_total_bytes{broker="1",dir="/a"} 100+0x120`,
				`orderledger_kafka_disk_usable_bytes{broker="2",dir="/a"} 10+0x120`, `orderledger_kafka_disk_total_bytes{broker="2",dir="/a"} 100+0x120`),
				labels{"broker": "1", "dir": "/a"}),
			good: []string{several(`orderledger_kafka_disk_usable_bytes{broker="1",dir="/a"} `+brief("50", "0", 10), `orderledger_kafka_disk_total_bytes{broker="1",dir="/a"} 100+0x120`)},
		},
		"OrderledgerPushesBehind": {
			bad:  bad(several(emitter+`lag_records{endpoint="wms"} `+brief("0", "10001", 11), emitter+`lag_records{endpoint="erp"} 10000+0x120`), labels{"endpoint": "wms"}),
			good: []string{emitter + `lag_records{endpoint="wms"} ` + brief("0", "20000", 10)},
		},
		"OrderledgerStandbyFarBehind": {
			bad:  bad(several(journal+`standby_lag{lane="0"} `+brief("0", "100001", 11), journal+`standby_lag{lane="1"} 100000+0x120`), labels{"lane": "0"}),
			good: []string{journal + `standby_lag{lane="0"} ` + brief("0", "200000", 10)},
		},
	}
}

func rulesOf(t *testing.T) []rulefmt.Rule {
	t.Helper()
	p := parser.NewParser(parser.Options{})
	groups, errs := rulefmt.ParseFile("../alerts.yaml", false, model.UTF8Validation, p, slog.New(slog.DiscardHandler))
	require.Empty(t, errs)
	require.Len(t, groups.Groups, 1)
	return groups.Groups[0].Rules
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	tried, rules := rules(), rulesOf(t)
	require.Len(t, rules, len(tried), "every rule has cases, every case a rule")
	for _, rule := range rules {
		t.Run(rule.Alert, func(t *testing.T) {
			t.Parallel()
			c := tried[rule.Alert]
			require.NotEmpty(t, c.bad)
			require.NotEmpty(t, c.good)
			for series, want := range c.bad {
				for _, with := range want {
					with["alertname"] = rule.Alert
				}
				require.ElementsMatch(t, want, firing(t, rule, series), "bad: %s", series)
			}
			for _, series := range c.good {
				require.Empty(t, firing(t, rule, series), "good: %s", series)
			}
			// "LaneDamaged" is explained as "Lane damaged".
			words := capital.ReplaceAllStringFunc(strings.TrimPrefix(rule.Alert, "Orderledger"), func(letter string) string {
				return " " + strings.ToLower(letter)
			})
			words = strings.TrimSpace(words)
			require.Equal(t, map[string]string{
				"summary": strings.ToUpper(words[:1]) + words[1:] + ": see Alerts in docs/operating.md",
			}, rule.Annotations)
			require.Empty(t, rule.KeepFiringFor)
		})
	}
}

var capital = regexp.MustCompile(`[A-Z]`)

// firing returns the labels of the alerts that fire within the two hours: of each series of the expression's result that
// is there in each minute for as long as the rule says.
func firing(t *testing.T, rule rulefmt.Rule, series string) []labels {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 1m\n  "+series+"\n")
	defer func() { require.NoError(t, storage.Close()) }()
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	since := map[string]int{} // The minute in which a series appeared, by its labels.
	fired := map[string]labels{}
	for minute := range 121 {
		at := time.Unix(0, 0).Add(time.Duration(minute) * time.Minute)
		query, err := engine.NewInstantQuery(context.Background(), storage, nil, rule.Expr, at)
		require.NoError(t, err)
		result := query.Exec(context.Background())
		require.NoError(t, result.Err)
		vector, err := result.Vector()
		require.NoError(t, err)
		now := map[string]int{}
		for _, sample := range vector {
			key := sample.Metric.String()
			now[key] = minute
			if began, there := since[key]; there {
				now[key] = began
			}
			if time.Duration(minute-now[key])*time.Minute >= time.Duration(rule.For) {
				with := sample.Metric.Map()
				delete(with, model.MetricNameLabel)
				maps.Copy(with, rule.Labels)
				with["alertname"] = rule.Alert
				fired[key] = with
			}
		}
		query.Close()
		since = now
	}
	return slices.Collect(maps.Values(fired))
}
