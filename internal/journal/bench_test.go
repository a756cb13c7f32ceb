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
			size := int64(n * sizeOf(led.event()))
			j := led.start().ready()
			cmds := make([]Command, n)
			for i := range cmds {
				cmds[i] = createCmd(fmt.Sprint("s", i))
				j.mustSubmit(cmds[i])
				cmds[i] = cmd(cmds[i].ShipmentID, "note", fmt.Sprintf("%0500d", i))
			}
			took := make([]time.Duration, 0, b.N)
			b.SetBytes(size) // Of the events; their decisions come on top.
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

// BenchmarkPlainProduce writes the very event records of a lane again, headers and all, with the same client options and
// acks=all, without a ledger around them: no transaction, no decision about each, no chain, no store. A lane writes two
// records for each of these, the event and its decision, in two partitions, and a second request to commit them.
func BenchmarkPlainProduce(b *testing.B) {
	for _, n := range []int{1, 50, 1000} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			led := setup(b, 1)
			like := led.event()
			client := testkit.Client(b, led.brokers, kafka.ManualPartitions(), kgo.ManualFlushing(),
				kgo.MaxBufferedRecords(100_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
			records := make([]*kgo.Record, n)
			took := make([]time.Duration, 0, b.N)
			b.SetBytes(int64(n * sizeOf(like)))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				for i := range records {
					records[i] = &kgo.Record{Topic: like.Topic, Key: like.Key, Value: like.Value, Headers: like.Headers}
				}
				began := time.Now()
				for _, r := range records {
					client.Produce(b.Context(), r, func(_ *kgo.Record, err error) {
						if err != nil {
							b.Error(err)
						}
					})
				}
				require.NoError(b, client.Flush(b.Context()))
				took = append(took, time.Since(began))
			}
			b.StopTimer()
			report(b, took, n)
		})
	}
}

// event returns the record of an event like those of BenchmarkLane.
func (b *bundle) event() *kgo.Record {
	b.Helper()
	j := b.start().ready()
	j.mustSubmit(createCmd("s0"))
	j.mustSubmit(cmd("s0", "note", fmt.Sprintf("%0500d", 0)))
	j.stop()
	var last *kgo.Record
	b.records(events.TopicEvents, 0, func(r *kgo.Record, _ []events.Header) { last = r })
	return last
}

// sizeOf returns about what a record takes on the wire.
func sizeOf(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 2
	}
	return n
}

func report(b *testing.B, took []time.Duration, events int) {
	b.Helper()
	var total time.Duration
	for _, d := range took {
		total += d
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(events*len(took))/total.Seconds(), "events/s")
}
