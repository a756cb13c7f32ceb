package emitter

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/testkit"
)

const (
	benchBody  = 2 << 10
	benchSlots = 64
	benchLanes = 6
)

// BenchmarkDeliver measures the path of a message from the topic to the response, with signature, log, outcome record
// and commit. The receiver and the broker share the machine. Compare its messages/s with BenchmarkBarePost.
func BenchmarkDeliver(b *testing.B) {
	s := setup(b, benchLanes)
	var got atomic.Int64
	done := make(chan struct{})
	url := benchReceiver(b, func() {
		if got.Add(1) == int64(b.N) {
			close(done)
		}
	})
	records := make([]*kgo.Record, 0, b.N)
	for i := range b.N {
		r := s.record(orderCode(i%5000), "SUBORDER_PROPERTIES_UPDATE")
		r.Value = []byte(strings.Repeat("x", benchBody))
		records = append(records, r)
	}
	require.NoError(b, s.client.ProduceSync(b.Context(), records...).FirstErr())
	c := config(Endpoint{Name: "efs", URL: url, Secrets: []string{testSecret}, Scope: Everything(), Start: StartEarliest, MaxInFlight: benchSlots})
	c.CommitInterval = DefaultDeliverConfig().CommitInterval
	log := slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // Encoding the log is measured.
	d, err := NewDeliverer(c, testkit.KafkaConfig(s.brokers, benchLanes), log, nil)
	require.NoError(b, err)
	ran := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	go func() { ran <- d.Run(b.Context()) }()
	<-done
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	d.Close()
	require.NoError(b, <-ran)
}

// BenchmarkBarePost measures net/http alone, with the same receiver and as many requests in flight.
func BenchmarkBarePost(b *testing.B) {
	url := benchReceiver(b, func() {})
	client := &http.Client{Transport: &http.Transport{MaxIdleConns: benchSlots, MaxIdleConnsPerHost: benchSlots}}
	defer client.CloseIdleConnections()
	body := strings.Repeat("x", benchBody)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var workers sync.WaitGroup
	for range benchSlots {
		workers.Go(func() {
			for left.Add(-1) >= 0 {
				request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, strings.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				resp, err := client.Do(request)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	workers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func benchReceiver(b *testing.B, got func()) string {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
		got()
	}))
	b.Cleanup(server.Close)
	return server.URL
}
