package emitter

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestScopeIncludes(t *testing.T) {
	t.Parallel()
	some := Scope{Sellers: []string{"s1", "s2"}, Locations: []string{All}, Channels: []string{"shop"}}
	all := Everything()
	for name, c := range map[string]struct {
		scope Scope
		m     outbound
		want  bool
	}{
		"every list names the message":  {some, outbound{seller: "s2", location: "L", channel: "shop"}, true},
		"all includes unknown names":    {some, outbound{seller: "s1", channel: "shop"}, true},
		"another seller":                {some, outbound{seller: "s3", location: "L", channel: "shop"}, false},
		"another case":                  {some, outbound{seller: "S1", location: "L", channel: "shop"}, false},
		"no seller":                     {some, outbound{location: "L", channel: "shop"}, false},
		"another channel":               {some, outbound{seller: "s1", location: "L", channel: "shop2"}, false},
		"no channel":                    {some, outbound{seller: "s1", location: "L"}, false},
		"everything":                    {all, outbound{seller: "s1", location: "L", channel: "shop"}, true},
		"everything includes no names":  {all, outbound{}, true},
		"a missing name is no name":     {Scope{Sellers: []string{""}, Locations: []string{All}, Channels: []string{All}}, outbound{}, false},
		"nothing":                       {Scope{}, outbound{}, false},
		"an empty list includes nobody": {Scope{Sellers: []string{All}, Channels: []string{All}}, outbound{seller: "s1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, c.scope.includes(&c.m))
		})
	}
}

func TestScopeErrors(t *testing.T) {
	t.Parallel()
	e := Endpoint{Name: "a", URL: "https://example.org"}
	require.NoError(t, e.Validate(), "without a scope an endpoint is valid and gets nothing")
	require.Equal(t, []string{"sellers", "locations", "channels"}, e.Scope.Missing())
	e.Scope = Everything()
	require.NoError(t, e.Validate())
	require.Empty(t, e.Scope.Missing())
	e.Scope = Scope{Sellers: []string{"s1", All}, Locations: []string{"IN*"}, Channels: []string{" shop", ""}}
	for _, problem := range []string{
		`sellers has "*" beside other names`, `locations has "IN*": there are no patterns`, `channels has " shop"`, `channels has ""`,
	} {
		require.ErrorContains(t, e.Validate(), problem)
	}
}

func TestDelivererScope(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		t.Run("an endpoint gets what its scope names, in order, and its position passes the rest", func(t *testing.T) {
			t.Parallel()
			s := setupOn(t, on, 1)
			one, every := testkit.NewReceiver(t, testSecret), testkit.NewReceiver(t, testSecret)
			narrow := endpoint("one", one)
			narrow.Scope = Scope{Sellers: []string{"s1"}, Locations: []string{"L1"}, Channels: []string{All}}
			for range 3 {
				s.publish(t,
					about(s.record("a", SuborderPropertiesUpdate), "s1", "L1"), about(s.record("b", SuborderPropertiesUpdate), "s2", "L1"),
					about(s.record("c", SuborderPropertiesUpdate), "s1", "L2"), about(s.record("d", SuborderPropertiesUpdate), "", ""),
				)
			}
			reg := prometheus.NewRegistry()
			stop := s.startWith(t, config(narrow, endpoint("every", every)), reg)
			one.Wait(t, 3)
			every.Wait(t, 12)
			s.waitCommitted(t, "orderledger.emitter.one")
			s.waitCommitted(t, "orderledger.emitter.every")
			require.Equal(t, []int64{1, 5, 9}, one.Arrived("a"))
			require.Len(t, one.Requests(), 3)
			require.Equal(t, 9, skipped(t, reg, "one", "out_of_scope"))
			require.Zero(t, skipped(t, reg, "every", "out_of_scope"))
			stop()
			s.publish(t, about(s.record("b", SuborderCancel), "s2", "L1"), about(s.record("a", SuborderCancel), "s1", "L1"))
			s.start(t, config(narrow))
			one.Wait(t, 4)
			require.Equal(t, []int64{1, 5, 9, 14}, one.Arrived("a"))
			require.Zero(t, one.Repeats())
			one.RequireNoViolations(t)
			every.RequireNoViolations(t)
		})

		t.Run("an endpoint without a scope gets nothing, and continues when it gets one", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 1), testkit.NewReceiver(t, testSecret)
			s.publish(t, about(s.record("a", SuborderCreate), "s1", "L1"))
			stop := s.start(t, config(endpoint("efs", r)))
			r.Wait(t, 1)
			s.waitCommitted(t, "orderledger.emitter.efs")
			stop()

			for _, scope := range []Scope{{}, {Sellers: []string{All}, Locations: []string{All}}} {
				n := len(r.Requests())
				s.publish(t, about(s.record("a", SuborderPropertiesUpdate), "s1", "L1"))
				e := endpoint("efs", r)
				e.Scope = scope
				fresh := endpoint("fresh", r)
				fresh.Scope = scope
				var log bytes.Buffer
				other := testkit.NewReceiver(t, testSecret)
				d, err := NewDeliverer(config(e, fresh, endpoint("other", other)), testkit.KafkaConfig(s.brokers, s.lanes),
					slog.New(slog.NewTextHandler(&log, nil)), nil)
				require.NoError(t, err)
				ran := make(chan error, 1)
				go func() { ran <- d.Run(context.WithoutCancel(t.Context())) }()
				s.waitCommitted(t, "orderledger.emitter.other")
				d.Close()
				require.NoError(t, <-ran)
				require.Len(t, r.Requests(), n)
				require.Contains(t, log.String(), `msg="endpoint disabled, its scope is incomplete" endpoint=efs`)
			}
			groups, err := kadm.NewClient(s.client).ListGroups(t.Context())
			require.NoError(t, err)
			require.NotContains(t, groups.Groups(), "orderledger.emitter.fresh")

			s.start(t, config(endpoint("efs", r)))
			r.Wait(t, 3)
			require.Zero(t, r.Repeats())
			r.RequireNoViolations(t)
		})
	})
}

// TestDelivererHistory sends nothing of shipments that were imported as history, unless the endpoint takes them.
func TestDelivererHistory(t *testing.T) {
	t.Parallel()
	onEach(t, 1, func(t *testing.T, l *ledger, s *stage) {
		t.Helper()
		live, all := testkit.NewReceiver(t, testSecret), testkit.NewReceiver(t, testSecret)
		past := l.created(t, "past")
		past.Headers = append(past.Headers, kafka.Headers(events.HeaderHistory, events.True)...)
		changed := l.record(t, &ledgerv1.Event{
			Transition: &ledgerv1.Transition{},
			After:      twoItems(func(s *ledgerv1.Shipment) { s.ShipmentId, s.Version, s.History = "past", 2, true }),
			Body:       &ledgerv1.Event_ShipmentHeld{ShipmentHeld: &ledgerv1.ShipmentHeld{}},
		})
		l.commit(t, past, changed, l.created(t, "now"), l.changed(t, "now", 2))
		l.translate(t, nil)
		l.waitDone(t)
		for _, r := range l.read(t, events.TopicSuborders)[0] {
			require.Equal(t, string(r.Key) == "past", headers(r)[headerHistory] == events.True)
		}
		reg := prometheus.NewRegistry()
		takes := endpoint("all", all)
		takes.History = true
		s.startWith(t, config(endpoint("live", live), takes), reg)
		s.waitCommitted(t, "orderledger.emitter.live")
		s.waitCommitted(t, "orderledger.emitter.all")
		require.Empty(t, live.Arrived("past"))
		require.Len(t, live.Arrived("now"), 2)
		require.Len(t, all.Arrived("past"), 2)
		require.Equal(t, 2, skipped(t, reg, "live", "history"))
		require.Zero(t, skipped(t, reg, "all", "history"))
	})
}

// about adds the headers that a scope is compared with.
func about(r *kgo.Record, seller, location string) *kgo.Record {
	for key, value := range map[string]string{headerSeller: seller, headerLocation: location} {
		if value != "" {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
		}
	}
	return r
}

// skipped reads the counter of skipped messages.
func skipped(t testing.TB, reg *prometheus.Registry, endpoint, reason string) int {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == metricsPrefix+"skipped_total" &&
				m.GetLabel()[0].GetValue() == endpoint && m.GetLabel()[1].GetValue() == reason {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}
