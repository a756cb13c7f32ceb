package emitter

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/webhook"
)

func TestEndpointWait(t *testing.T) {
	t.Parallel()
	e := Endpoint{
		RetrySchedule: []time.Duration{time.Second, 10 * time.Second, 100 * time.Second},
		RetrySlow:     50 * time.Second, RetryAfterMax: 200 * time.Second,
	}
	for name, c := range map[string]struct {
		verdict    webhook.Verdict
		attempts   int
		retryAfter time.Duration
		low, high  time.Duration
	}{
		"the first failure":                            {webhook.Retry, 1, 0, 800 * time.Millisecond, 1200 * time.Millisecond},
		"the second failure":                           {webhook.Retry, 2, 0, 8 * time.Second, 12 * time.Second},
		"the last step repeats":                        {webhook.Retry, 99, 0, 80 * time.Second, 120 * time.Second},
		"slow has a minimum":                           {webhook.RetrySlow, 1, 0, 40 * time.Second, 60 * time.Second},
		"slow follows a slower schedule":               {webhook.RetrySlow, 3, 0, 80 * time.Second, 120 * time.Second},
		"a receiver may shorten the wait":              {webhook.Retry, 3, 20 * time.Second, 20 * time.Second, 24 * time.Second},
		"a receiver's wait is at least the first step": {webhook.Retry, 3, time.Millisecond, time.Second, 1200 * time.Millisecond},
		"a receiver may lengthen the wait":             {webhook.Retry, 1, 30 * time.Second, 30 * time.Second, 36 * time.Second},
		"a receiver's wait is capped":                  {webhook.Retry, 1, time.Hour, 200 * time.Second, 240 * time.Second},
		"a receiver cannot shorten a slow wait":        {webhook.RetrySlow, 1, time.Second, 50 * time.Second, 60 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			different := map[time.Duration]bool{}
			for range 200 {
				got := e.wait(c.verdict, c.attempts, c.retryAfter)
				require.GreaterOrEqual(t, got, c.low)
				require.LessOrEqual(t, got, c.high)
				different[got] = true
			}
			require.Greater(t, len(different), 1, "waits vary")
		})
	}
}

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Endpoint{
		"wms=https://a.example/x?y=z":    {Name: "wms", URL: "https://a.example/x?y=z"},
		"https://A.example:8443/Hook/1/": {Name: "a.example-8443-hook-1", URL: "https://A.example:8443/Hook/1/"},
		"http://127.0.0.1:9000":          {Name: "127.0.0.1-9000", URL: "http://127.0.0.1:9000"},
		"https://a.example/?k=v":         {Name: "a.example", URL: "https://a.example/?k=v"},
	} {
		got, err := ParseEndpoint(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NoError(t, DeliverConfig{Endpoints: []Endpoint{got}}.Validate())
	}
	for text, want := range map[string]string{
		"a.example/hook": "want name=URL or a URL", "": "want name=URL",
		"https://a.example/" + strings.Repeat("x", 64): "write name=URL",
		"https://user:secret@:bad/":                    "want name=URL or a URL",
	} {
		_, err := ParseEndpoint(text)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestDeliverConfig(t *testing.T) {
	t.Parallel()
	require.NoError(t, DefaultDeliverConfig().Validate())
	require.NoError(t, DeliverConfig{Endpoints: []Endpoint{{Name: "a", URL: "https://example.org/x"}}}.Validate(), "zero values are valid")
	err := DeliverConfig{
		SessionTimeout: 10 * time.Second, StopTimeout: -1, MaxPending: -1,
		Endpoints: []Endpoint{
			{Name: "a", URL: "https://example.org"},
			{Name: "a", URL: "https://example.org", Timeout: time.Second},
			{
				Name: "No Name", URL: "https://example.org/?token=geheim", CompleteStage: "packed", BodyRule: "strict", Start: "yesterday",
				Secrets: []string{"whsec_geheim"}, RetrySchedule: []time.Duration{0}, RetrySlow: -1,
			},
			{Name: "b", URL: "ftp://geheim", Headers: map[string]string{"webhook-id": "1"}},
		},
	}.Validate()
	for _, problem := range []string{
		"configured twice", EnvSessionTimeout + ": 10s: want at least 2s above the timeout 45s", "max pending", "name is not", `complete stage "packed"`, `body rule "strict"`, `start "yesterday" is not now, earliest`, "stop timeout",
		"secret 1", "retry schedule has 0s", "retry slow", "url is not http", "header webhook-id is set by the client",
	} {
		require.ErrorContains(t, err, problem)
	}
	require.NotContains(t, err.Error(), "geheim")
}

// Updates of properties end with the stage for which the endpoint waits, not with the first stage of the suborder.
func TestEndpointUpdatesUntilStage(t *testing.T) {
	t.Parallel()
	for stage, takes := range map[string]map[string]bool{
		"":             {"": true, "shipped": false, "shipped,delivered": false, "shipped,delivered,completed": false},
		StageDelivered: {"": true, "shipped": true, "shipped,delivered": false, "shipped,delivered,completed": false},
		StageCompleted: {"": true, "shipped": true, "shipped,delivered": true, "shipped,delivered,completed": false},
	} {
		for reached, want := range takes {
			t.Run(stage+" after "+reached, func(t *testing.T) {
				t.Parallel()
				e := Endpoint{Scope: Everything(), CompleteStage: stage}.withDefaults()
				record := &kgo.Record{Key: []byte("s1"), Value: []byte("{}"), Timestamp: sampleTime, Headers: []kgo.RecordHeader{
					{Key: events.HeaderID, Value: []byte("1")},
					{Key: events.HeaderType, Value: []byte(SuborderPropertiesUpdate)},
					{Key: headerReached, Value: []byte(reached)},
				}}
				m, err := readMessage(record)
				require.NoError(t, err)
				require.Equal(t, want, e.excludes(&m, 0) == "")
			})
		}
	}
}

// The first suborder of a new endpoint is the one that was recorded at its start.
func TestEndpointExcludesOlderSuborders(t *testing.T) {
	t.Parallel()
	e := Endpoint{Scope: Everything()}.withDefaults()
	m := outbound{eventType: SuborderCreate, created: 1000}
	require.Empty(t, e.excludes(&m, 0))
	require.Empty(t, e.excludes(&m, 1000))
	require.Equal(t, "before_start", e.excludes(&m, 1001))
}
