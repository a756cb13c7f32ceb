package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	tables "github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/console"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/projections"
)

// reported is 15 March, 23:59:59 in IST: the end of a day, or a time that somebody reported.
var reported = time.Date(2026, 3, 15, 18, 29, 59, 0, time.UTC)

// timelineOf prints the timeline of a shipment that was dispatched on 15 March; day says whether only that was
// reported. One more clock ended with an ordinary time and is due on a day.
func timelineOf(t *testing.T, day bool, message string, screen console.Screen) {
	t.Helper()
	cfg := testkit.Embedded.Open(t)
	require.NoError(t, tables.Migrate(t.Context(), cfg, testkit.Logger(t), projections.Migrations()))
	conn, err := tables.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })

	event := eventstest.Story(1, eventstest.Start)[3]
	events.At(event).Day = day
	value, err := event.MarshalVT()
	require.NoError(t, err)
	body, err := events.AppendJSON(nil, events.TypeOf(event), value)
	require.NoError(t, err)
	for _, insert := range []struct {
		sql  string
		args []any
	}{
		{"INSERT INTO shipments_state (shipment_id, order_id, seller_id, fulfilment, status, version) " +
			"VALUES ('4673dee6-97de-48e4-9553-b3c372e00263', 'OD1', 'seller-1', 'self_ship', 'SHIPPED', 4)", nil},
		{
			"INSERT INTO events (shipment_id, version, event_type, occurred_at, from_status, to_status, irregular, auth_type, body) VALUES " +
				"('4673dee6-97de-48e4-9553-b3c372e00263', 4, ?, ?, 'READY_TO_DISPATCH', 'PICKUP_COMPLETE', true, 'seller', ?), " +
				"('4673dee6-97de-48e4-9553-b3c372e00263', 5, 'ShipmentShipped', NULL, 'PICKUP_COMPLETE', 'SHIPPED', false, 'seller', '{}')",
			[]any{events.ShortType(events.TypeOf(event)), reported, string(body)},
		},
		{"INSERT INTO sla_clocks (shipment_id, clock, due_at, done_at, done_day) VALUES " +
			"('4673dee6-97de-48e4-9553-b3c372e00263', 'dispatch', '2026-03-14 10:00:00', ?, ?), " +
			"('4673dee6-97de-48e4-9553-b3c372e00263', 'deliver', '2026-03-20 18:29:59.999', '2026-03-16 10:00:00', false)", []any{reported, day}},
		{
			"INSERT INTO decisions_history (shipment_id, input_type, outcome, reason, message, recorded_at) VALUES " +
				"('4673dee6-97de-48e4-9553-b3c372e00263', 'notification.shipment_dispatch_dates_changed', 'quarantined', 'bad_time', ?, '2026-03-15 10:00:00')",
			[]any{message},
		},
	} {
		require.NoError(t, conn.Exec(t.Context(), insert.sql, insert.args...))
	}
	require.NoError(t, timeline(t.Context(), conn, "4673dee6-97de-48e4-9553-b3c372e00263", screen))
}

func TestTimelineShowsDays(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name          string
		day           bool
		history, done string
	}{
		{"a reported time is shown as it is", false, "2026-03-15 18:29:59", "2026-03-15 18:29:59"},
		{"a reported day is shown as a day", true, "2026-03-15", "2026-03-15"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			timelineOf(t, tc.day, "", console.Screen{Out: &out})
			text := strings.Join(strings.Fields(out.String()), " ")
			require.Contains(t, text, "history "+tc.history+" "+events.ShortType(events.TypeOf(eventstest.Story(1, eventstest.Start)[3]))+" ")
			require.Contains(t, text, " dispatch breached due 2026-03-14 10:00:00 done "+tc.done+" deliver ")
			require.Contains(t, text, " deliver met due 2026-03-20 done 2026-03-16 10:00:00 ", "a due time at the end of a day is the day")
		})
	}
}

func TestTimelineFitsTerminal(t *testing.T) {
	t.Parallel()
	message := strings.Repeat("a long reason, ", 20) + "\x1b[2J\nend"
	var wide bytes.Buffer
	timelineOf(t, true, message, console.Screen{Out: &wide})
	require.Contains(t, wide.String(), strings.Repeat("a long reason, ", 20)+`\u001b[2J\u000aend`, "a pipe gets full values")
	var out bytes.Buffer
	timelineOf(t, true, message, console.Screen{Out: &out, Width: 80})
	require.Equal(t, strings.Count(wide.String(), "\n"), strings.Count(out.String(), "\n"))
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, uniseg.StringWidth(strings.TrimSuffix(line, "\n")), 80, line)
	}
	for _, part := range []string{"2026-03-15 10:00:00  notification.", "quarantined  bad_time: a long", "breached  due 2026-03-14 10:00:00  done 2026-03-15"} {
		require.Contains(t, out.String(), part, "times and outcomes are whole")
	}
	require.NotContains(t, out.String(), "\x1b", "plain without colour")
	out.Reset()
	timelineOf(t, true, message, console.Screen{Out: &out, Width: 80, Colour: true})
	require.Contains(t, out.String(), "\x1b[31mbreached\x1b[0m")
}

// A shipment without a creation has no row, but its inputs have decisions, which say why.
func TestTimelineOfMissingShipment(t *testing.T) {
	t.Parallel()
	cfg := testkit.Embedded.Open(t)
	require.NoError(t, tables.Migrate(t.Context(), cfg, testkit.Logger(t), projections.Migrations()))
	conn, err := tables.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.Exec(t.Context(), "INSERT INTO decisions_history "+
		"(shipment_id, decisionseq, input_key, input_type, outcome, reason, message, recorded_at) VALUES "+
		"('waits', 1, 'a', 'notification.shipment_packed', 'waiting', 'unknown_shipment', 'It waits.', '2026-03-15 10:00:00'), "+
		"('waits', 2, 'b', 'notification.shipment_shipped', 'waiting', 'unknown_shipment', 'It waits.', '2026-03-15 11:00:00'), "+
		"('waits', 3, 'a', 'notification.shipment_packed', 'duplicate', 'repeated_key', '', '2026-03-15 12:00:00'), "+
		"('late', 4, 'c', 'notification.shipment_packed', 'waiting', 'unknown_shipment', 'It waits.', '2026-03-15 10:00:00'), "+
		"('late', 5, 'c', 'notification.shipment_packed', 'quarantined', 'waited_too_long', 'It waited.', '2026-03-18 10:00:00'), "+
		"('late', 6, 'd', 'notification.shipment_packed', 'quarantined', 'over_cap', 'Too many.', '2026-03-19 10:00:00'), "+
		"('refused', 7, 'e', 'notification.shipment_created', 'quarantined', 'bad_time', 'Its time is wrong.', '2026-03-15 10:00:00'), "+
		"('called', 8, 'f', 'command.cancel', 'rejected', 'INVALID_SHIPMENTS', 'There is none.', '2026-03-15 10:00:00')"))
	for _, tc := range []struct {
		id   string
		says []string
	}{
		{"waits", []string{
			"shipment waits not created waiting: 2, since 2026-03-15 10:00:00 (unknown_shipment): It waits. " +
				"-> post its shipment_created, which applies them, or check the id; after 72 hours they are quarantined inputs",
			"2026-03-15 11:00:00 notification.shipment… waiting unknown_shipment",
		}},
		{"late", []string{
			"quarantined: 1, since 2026-03-15 10:00:00 (waited_too_long): It waited. -> post its shipment_created, which still applies them",
			"quarantined: 1, since 2026-03-19 10:00:00 (over_cap): Too many. -> post its shipment_created, then send these again",
		}},
		{"refused", []string{
			"quarantined: 1, since 2026-03-15 10:00:00 (bad_time): Its time is wrong. -> correct it and send it again",
		}},
		{"called", []string{"rejected: 1, since 2026-03-15 10:00:00 (INVALID_SHIPMENTS): There is none. -> check the id"}},
	} {
		t.Run(tc.id, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.NoError(t, timeline(t.Context(), conn, tc.id, console.Screen{Out: &out, Width: 80}))
			text := strings.Join(strings.Fields(out.String()), " ")
			for _, want := range tc.says {
				require.Contains(t, text, want)
			}
		})
	}
	err = timeline(t.Context(), conn, "nothing", console.Screen{Out: &bytes.Buffer{}})
	require.ErrorContains(t, err, "shipment nothing is not known: the tables have no event and no input of it; check the id")
}
