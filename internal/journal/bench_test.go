package journal

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// onBrokers runs a benchmark on the broker in the process and on Apache Kafka. There the medians of a run are compared
// with each other: the aim is a p99 of at most three times that of the plain produce.
func onBrokers(b *testing.B, fn func(b *testing.B, led *bundle, n int)) {
	b.Helper()
	for _, on := range []struct {
		name  string
		setup func(b *testing.B) *bundle
	}{
		{"kfake", func(b *testing.B) *bundle { return setup(b, 1) }}, //nolint:thelper // It names the ledger.
		{"apache", setupApache},
	} {
		b.Run(on.name, func(b *testing.B) {
			for _, n := range []int{1, 50, 1000} {
				b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) { fn(b, on.setup(b), n) })
			}
		})
	}
}

// BenchmarkLane measures what a caller waits for: one command, or many at once, decided, committed and answered.
func BenchmarkLane(b *testing.B) {
	onBrokers(b, func(b *testing.B, led *bundle, n int) {
		b.Helper()
		size := int64(n * sizeOf(led.event()))
		j := led.start().ready()
		cmds := make([]Command, n)
		for i := range cmds {
			cmds[i] = createCmd(fmt.Sprint("s", i))
			j.mustSubmit(cmds[i])
			cmds[i] = cmd(cmds[i].ShipmentID, "note", fmt.Sprintf("%0500d", i))
		}
		b.SetBytes(size) // Of the events; their decisions come on top.
		measure(b, n, func() {
			if n == 1 {
				_, err := j.Submit(b.Context(), cmds[0])
				require.NoError(b, err)
				return
			}
			for _, r := range j.SubmitAll(b.Context(), cmds) {
				require.NoError(b, r.Err)
			}
		})
		j.stop()
	})
}

// BenchmarkPlainProduce writes copies of a lane's event records, headers included, with the same client options and
// acks=all, but without a ledger: no transaction, no decision about each, no chain, no store. For each of these a lane
// writes two records, the event and its decision, in two partitions, and sends a second request to commit them.
func BenchmarkPlainProduce(b *testing.B) {
	onBrokers(b, func(b *testing.B, led *bundle, n int) {
		b.Helper()
		like := led.event()
		client := testkit.Client(b, led.brokers, kafka.ManualPartitions(), kgo.ManualFlushing(),
			kgo.MaxBufferedRecords(100_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
		b.SetBytes(int64(n * sizeOf(like)))
		measure(b, n, func() { produce(b, client, like, n) })
	})
}

// BenchmarkRawTransactions writes the same records, a transaction each time, with two transactional ids in turn as a
// lane does: what a lane could reach if it had nothing to decide, encode, hash or store.
func BenchmarkRawTransactions(b *testing.B) {
	onBrokers(b, func(b *testing.B, led *bundle, n int) {
		b.Helper()
		like := led.event()
		aa, bb := kafka.LaneTransactionalIDs("raw", 0)
		var clients []*kgo.Client
		for _, id := range []string{aa, bb} {
			client := testkit.Client(b, led.brokers, kafka.ManualPartitions(), kgo.ManualFlushing(), kgo.TransactionalID(id),
				kgo.MaxBufferedRecords(100_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
			_, _, err := client.ProducerID(b.Context())
			require.NoError(b, err)
			clients = append(clients, client)
		}
		turn := 0
		b.SetBytes(int64(n * sizeOf(like)))
		measure(b, n, func() {
			client := clients[turn%len(clients)]
			turn++
			require.NoError(b, client.BeginTransaction())
			produce(b, client, like, n)
			require.NoError(b, client.EndTransaction(b.Context(), kgo.TryCommit))
		})
	})
}

func produce(b *testing.B, client *kgo.Client, like *kgo.Record, n int) {
	b.Helper()
	for range n {
		r := &kgo.Record{Topic: like.Topic, Key: like.Key, Value: like.Value, Headers: like.Headers}
		client.Produce(b.Context(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	require.NoError(b, client.Flush(b.Context()))
}

// measure times each call, which writes a number of events.
func measure(b *testing.B, events int, fn func()) {
	b.Helper()
	took := make([]time.Duration, 0, b.N)
	var total time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		began := time.Now()
		fn()
		took = append(took, time.Since(began))
		total += took[len(took)-1]
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(events*len(took))/total.Seconds(), "events/s")
}

// setupApache makes a ledger of one lane on the Apache Kafka in ORDERLEDGER_TEST_KAFKA, with no proxy between. It
// refuses a broker that holds a ledger, and deletes its own in the end.
func setupApache(b *testing.B) *bundle {
	b.Helper()
	brokers := testkit.ApacheKafka(b)
	admin := kadm.NewClient(testkit.Client(b, brokers))
	require.Empty(b, ledgerTopics(b, admin), "this Kafka holds a ledger already")
	testkit.Topics(b, brokers, 1)
	b.Cleanup(func() {
		testkit.Eventually(b, func() bool {
			there := ledgerTopics(b, admin)
			if len(there) > 0 {
				_, err := admin.DeleteTopics(context.WithoutCancel(b.Context()), there...)
				require.NoError(b, err)
			}
			return len(there) == 0
		}, "the topics are gone")
	})
	led := &bundle{TB: b, brokers: brokers, lanes: 1}
	led.inbox = led.newInbox()
	return led
}

func ledgerTopics(b *testing.B, admin *kadm.Client) []string {
	b.Helper()
	var names, there []string
	for _, t := range kafka.Topics() {
		names = append(names, t.Name)
	}
	all, err := admin.ListTopics(context.WithoutCancel(b.Context()), names...)
	require.NoError(b, err)
	for _, t := range all {
		if t.Err == nil {
			there = append(there, t.Topic)
		}
	}
	return there
}

// event returns the record of an event like those of BenchmarkLane.
func (b *bundle) event() *kgo.Record {
	b.Helper()
	j := b.start().ready()
	j.mustSubmit(createCmd("s0"))
	j.mustSubmit(cmd("s0", "note", fmt.Sprintf("%0500d", 0)))
	j.stop()
	var last *kgo.Record
	b.records(events.TopicEvents, 0, func(r *kgo.Record) { last = r })
	return last
}

// sizeOf returns about the size of a record on the wire.
func sizeOf(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 2
	}
	return n
}
