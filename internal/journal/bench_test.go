package journal

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// BenchmarkLane measures what a caller waits for: one command, or many at once, decided, committed and answered. Compare
// it with BenchmarkPlainProduce: the aim is a p99 of at most three times as long.
func BenchmarkLane(b *testing.B) {
	for _, n := range []int{1, 50, 1000} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			led := setup(b, 1)
			j := led.start().ready()
			cmds := make([]Command, n)
			for i := range cmds {
				cmds[i] = createCmd(fmt.Sprint("s", i))
				j.mustSubmit(cmds[i])
				cmds[i] = cmd(cmds[i].ShipmentID, "note", fmt.Sprintf("%0500d", i))
			}
			took := make([]time.Duration, 0, b.N)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				began := time.Now()
				if n == 1 {
					_, err := j.Submit(b.Context(), cmds[0])
					require.NoError(b, err)
				} else {
					for _, r := range j.SubmitAll(b.Context(), cmds) {
						require.NoError(b, r.Err)
					}
				}
				took = append(took, time.Since(began))
			}
			b.StopTimer()
			report(b, took, n)
			j.stop()
		})
	}
}

// BenchmarkPlainProduce is the same amount of records of the same size, acks=all, without a ledger around them.
func BenchmarkPlainProduce(b *testing.B) {
	for _, n := range []int{1, 50, 1000} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			led := setup(b, 1)
			client := testkit.Client(b, led.brokers, kafka.ManualPartitions())
			value := make([]byte, 600)
			records := make([]*kgo.Record, n)
			took := make([]time.Duration, 0, b.N)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				for i := range records {
					records[i] = &kgo.Record{Topic: events.TopicEvents, Key: []byte("s"), Value: value}
				}
				began := time.Now()
				require.NoError(b, client.ProduceSync(b.Context(), records...).FirstErr())
				took = append(took, time.Since(began))
			}
			b.StopTimer()
			report(b, took, n)
		})
	}
}

func report(b *testing.B, took []time.Duration, events int) {
	var total time.Duration
	for _, d := range took {
		total += d
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(events*len(took))/total.Seconds(), "events/s")
}
