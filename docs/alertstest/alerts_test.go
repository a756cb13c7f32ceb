package alertstest_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/stretchr/testify/require"
)

// scenario is series in the notation of promtool: two hours, a sample a minute. Counters begin at 0, as the programs
// export them. In the bad case the alert fires, in the good one it never does.
type scenario struct{ bad, good string }

const (
	calm   = "0+0x120"
	steps  = "0+0x110 1+0x9" // A single step from 0, ten minutes before the end.
	climbs = "0+5x120"       // Five a minute.
	trails = "20000+0x120"   // A backlog that does not shrink.
	spike  = "0+0x60 20000 0+0x58"
)

func scenarios() map[string]scenario {
	one := func(series, bad, good string) scenario { return scenario{series + " " + bad, series + " " + good} }
	const journal, ingest = "orderledger_journal_", "orderledger_ingest_"
	return map[string]scenario{
		"OrderledgerLaneWithoutAnOwner": {
			journal + "lanes_open{instance=\"a\"} 6+0x120\n  " + journal + "lanes_open{instance=\"b\"} 5+0x120",
			journal + "lanes_open{instance=\"a\"} 6+0x120\n  " + journal + "lanes_open{instance=\"b\"} 6+0x120",
		},
		"OrderledgerLaneDamaged": one(journal+`damaged{lane="3"}`, "1+0x120", calm),
		"OrderledgerAssignedLaneClosed": {
			journal + "lanes_assigned 6+0x120\n  " + journal + "lanes_open 5+0x120",
			journal + "lanes_assigned 6+0x120\n  " + journal + "lanes_open 6+0x120",
		},
		"OrderledgerLanesKeepMoving":    one(journal+`takeovers_total{result="opened"}`, climbs, "0+0x60 12+0x59"),
		"OrderledgerClockOff":           one("orderledger_kafka_clock_ahead_seconds", "-11+0x120", "0.2+0x120"),
		"OrderledgerInboxNotDecided":    one(journal+`inbox_lag{lane="0"}`, trails, spike),
		"OrderledgerOverloadRefused":    one(ingest+`overload_refused_total{limit="bodies"}`, "0+0x117 1+0x2", calm),
		"OrderledgerSellersFileRefused": one("orderledger_sellers_file_refused", "1+0x120", calm),
		"OrderledgerRecordsAstray":      one(`orderledger_kafka_surplus_records{topic="orders.inbox.v1"}`, "1+0x120", calm),
		"OrderledgerCommitsSlow": {
			journal + "commit_seconds_bucket{le=\"0.5\"} " + calm + "\n  " + journal + "commit_seconds_bucket{le=\"2\"} " + climbs +
				"\n  " + journal + "commit_seconds_bucket{le=\"+Inf\"} " + climbs,
			journal + "commit_seconds_bucket{le=\"0.25\"} " + climbs + "\n  " + journal + "commit_seconds_bucket{le=\"2\"} " + climbs +
				"\n  " + journal + "commit_seconds_bucket{le=\"+Inf\"} " + climbs,
		},
		"OrderledgerCommitsWithoutAnOutcome":  {journal + `batches_total{result="unknown"} ` + climbs, journal + `batches_total{result="committed"} ` + climbs},
		"OrderledgerTornTransactionsRepaired": one(journal+`torn_decisions_total{how="marker"}`, steps, calm),
		"OrderledgerInputsQuarantined":        {journal + `decisions_total{outcome="quarantined"} ` + steps, journal + `decisions_total{outcome="applied"} ` + climbs},
		"OrderledgerShipmentTooLarge":         one(journal+"too_large_total", steps, calm),
		"OrderledgerPartsLeftOut":             one(journal+"left_out_total", climbs, steps),
		"OrderledgerFactsWaiting":             one(journal+`waiting{lane="0"}`, trails, spike),
		"OrderledgerInstanceUnreachable":      {ingest + `retries_total{reason="owner_unreachable"} ` + climbs, ingest + `retries_total{reason="lane_moving"} ` + climbs},
		"OrderledgerPeerRequestsRefused":      one(ingest+`peer_requests_refused_total{reason="old"}`, "0+0x115 1+0x4", calm),
		"OrderledgerTablesBehind":             one(`orderledger_projector_lag_records{topic="orders.events.v1",partition="0"}`, trails, spike),
		"OrderledgerInsertsFailing":           one(`orderledger_projector_insert_errors_total{table="events"}`, climbs, "0+0x60 1+0x59"),
		"OrderledgerUndecodableRecords":       one(`orderledger_emitter_dead_letters_total{reason="undecodable"}`, steps, calm),
		"OrderledgerEndpointDown":             one(`orderledger_emitter_oldest_waiting_seconds{endpoint="wms"}`, "0+60x120", "30+0x120"),
		"OrderledgerPushesBehind":             one(`orderledger_emitter_lag_records{endpoint="wms"}`, trails, spike),
		"OrderledgerStandbyFarBehind":         one(journal+`standby_lag{lane="0"}`, "200000+0x120", trails),
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
	cases, rules := scenarios(), rulesOf(t)
	require.Len(t, rules, len(cases), "every rule has a case, every case a rule")
	for _, rule := range rules {
		t.Run(rule.Alert, func(t *testing.T) {
			t.Parallel()
			c, found := cases[rule.Alert]
			require.True(t, found)
			require.True(t, fires(t, rule, c.bad), "it fires in the bad case")
			require.False(t, fires(t, rule, c.good), "it does not fire in the good case")
		})
	}
}

// A ledger whose ingest instances are all gone has no series of them.
func TestAlertsNoticeThatAllInstancesAreGone(t *testing.T) {
	t.Parallel()
	for _, rule := range rulesOf(t) {
		if rule.Alert == "OrderledgerLaneWithoutAnOwner" {
			require.True(t, fires(t, rule, `orderledger_journal_lanes_open{instance="a"} 12+0x5`))
			return
		}
	}
	require.Fail(t, "no rule")
}

// fires reports whether an alert fires within the two hours: its expression has a result in each minute for as long as
// the rule says.
func fires(t *testing.T, rule rulefmt.Rule, series string) bool {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 1m\n  "+series+"\n")
	defer func() { require.NoError(t, storage.Close()) }()
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	since := -1 // The minute in which the expression began to have a result.
	for minute := range 121 {
		at := time.Unix(0, 0).Add(time.Duration(minute) * time.Minute)
		query, err := engine.NewInstantQuery(context.Background(), storage, nil, rule.Expr, at)
		require.NoError(t, err)
		result := query.Exec(context.Background())
		require.NoError(t, result.Err)
		vector, err := result.Vector()
		require.NoError(t, err)
		active := len(vector) > 0
		query.Close()
		switch {
		case !active:
			since = -1
		case since < 0:
			since = minute
		}
		if active && time.Duration(minute-since)*time.Minute >= time.Duration(rule.For) {
			return true
		}
	}
	return false
}
