package emitter

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit"
)

// An endpoint that is down leaves one warning a minute, however many attempts fail.
func TestDelivererLogsDeadEndpointOnce(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusForbidden} {
		s, lines := setup(t, 2), &testkit.LogLines{}
		down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(down.Close)
		var records []*kgo.Record
		for i := range 20 {
			record := s.record(orderCode(i), "SUBORDER_CREATED")
			record.Headers = append(record.Headers,
				kgo.RecordHeader{Key: events.HeaderCorrelationID, Value: []byte("story")},
				kgo.RecordHeader{Key: headerSeller, Value: []byte("s1")})
			records = append(records, record)
		}
		s.publish(t, records...)
		to := Endpoint{
			Name: "down", URL: down.URL, Scope: Everything(), Start: StartEarliest, Timeout: 5 * time.Second,
			RetrySchedule: []time.Duration{5 * time.Millisecond}, RetrySlow: 10 * time.Millisecond,
		}
		d, err := NewDeliverer(config(to), testkit.KafkaConfig(s.brokers, s.lanes),
			lines.Logger(slog.LevelDebug), nil)
		require.NoError(t, err)
		ran := make(chan error, 1)
		go func() { ran <- d.Run(t.Context()) }()
		testkit.Eventually(t, func() bool { return len(lines.With(t, "delivery attempted")) >= 40 }, "attempts")
		d.Close()
		require.NoError(t, <-ran)

		failed := lines.With(t, "delivery failed")
		require.Len(t, failed, 1, "one line for all attempts of the minute")
		require.Equal(t, "WARN", failed[0]["level"])
		require.Equal(t, "story", failed[0]["correlation_id"])
		require.Equal(t, "s1", failed[0]["seller_id"])
		require.Equal(t, "SUBORDER_CREATED", failed[0]["event_type"])
		require.InDelta(t, status, failed[0]["status"], 0)
		for _, line := range lines.With(t, "delivery attempted") {
			require.Equal(t, "DEBUG", line["level"])
			require.Equal(t, "story", line["correlation_id"])
		}
	}
}
