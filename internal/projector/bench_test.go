package projector_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/testkit"
)

// benchEvents is how many events the benchmarks project; ORDERLEDGER_BENCH_EVENTS overrides it.
func benchEvents(b *testing.B) int {
	b.Helper()
	n := 200_000
	if v := os.Getenv("ORDERLEDGER_BENCH_EVENTS"); v != "" {
		var err error
		n, err = strconv.Atoi(v)
		require.NoError(b, err)
	}
	return n / eventstest.StoryLength * eventstest.StoryLength
}

// active is how many shipments progress at the same time, so that their events are interleaved.
const active = 5000

// fill writes events of many shipments into the topic, spread over the lanes.
func (b *bundle) fill(total int) {
	b.t.Helper()
	client := testkit.Client(b.t, b.kafka.Brokers, kafka.ManualPartitions(),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(50_000))
	for first := 0; first < total/eventstest.StoryLength; first += active {
		n := min(active, total/eventstest.StoryLength-first)
		for step := range eventstest.StoryLength {
			for i := range n {
				id := first + i
				lane := b.lanes[id%len(b.lanes)]
				story := eventstest.Story(id, eventstest.Start)
				client.Produce(context.Background(), record(lane.Event(story[step])), nil)
			}
		}
	}
	require.NoError(b.t, client.Flush(context.Background()))
	b.written += total / eventstest.StoryLength
}

// usage is the CPU time that the process has used at a moment.
type usage struct {
	at  time.Time
	cpu time.Duration
}

func used(b *testing.B) usage {
	b.Helper()
	var r syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return usage{time.Now(), time.Duration(r.Utime.Nano() + r.Stime.Nano())}
}

// report reports events per second, CPU seconds per million events, and the peak of memory, since a moment.
func report(b *testing.B, since usage, n int) {
	b.Helper()
	now := used(b)
	b.ReportMetric(float64(n)/now.at.Sub(since.at).Seconds(), "events/s")
	b.ReportMetric((now.cpu-since.cpu).Seconds()/float64(n)*1e6, "cpu-s/M")
	b.ReportMetric(peak(b), "peak-MB")
	b.ReportMetric(0, "ns/op")
}

// settle frees the memory that the preparation used, and resets the peak of memory if the system can.
func settle() {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

func peak(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 64)
			require.NoError(b, err)
			return kb / 1024
		}
	}
	return 0
}

// BenchmarkProject projects from Kafka to all tables. Broker and engine run in this process, so their CPU and memory
// count.
func BenchmarkProject(b *testing.B) { benchProject(b, false) }

// BenchmarkProjectHistory projects from Kafka to the history only.
func BenchmarkProjectHistory(b *testing.B) { benchProject(b, true) }

func benchProject(b *testing.B, historyOnly bool) {
	b.Helper()
	n := benchEvents(b)
	for b.Loop() {
		b.StopTimer()
		bd := setup(b, 12)
		bd.fill(n)
		settle()
		b.StartTimer()
		start := used(b)
		bd.reg = prometheus.NewRegistry()
		p := projector.New(projector.DefaultConfig(), bd.kafka, bd.click, testkit.Logger(b), bd.reg)
		if historyOnly {
			p.HistoryOnly()
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		adm := bd.admin()
		// Rarely, because the query costs CPU too.
		for tick := time.NewTicker(50 * time.Millisecond); bd.behind(adm) != 0; <-tick.C {
		}
		report(b, start, n)
		b.ReportMetric(bd.metric("orderledger_projector_batches_total"), "batches")
		b.ReportMetric(bd.metric("orderledger_projector_rows_total"), "rows")
		cancel()
		require.NoError(b, <-done)
		require.EqualValues(b, n, bd.number("count() FROM events"))
	}
}

// pieces is the number of statements with which the bare insert fills a table: about as many as the projector has
// batches.
const pieces = 16

// BenchmarkBareInsert measures the engine alone with the same rows in the same tables: each statement reads a Native
// file of the size of the projector's batches. The files are sorted already, which saves the engine the sorting.
func BenchmarkBareInsert(b *testing.B) { benchBare(b, false) }

// BenchmarkBareInsertHistory does the same for the history only.
func BenchmarkBareInsertHistory(b *testing.B) { benchBare(b, true) }

func benchBare(b *testing.B, historyOnly bool) {
	b.Helper()
	n := benchEvents(b)
	for b.Loop() {
		b.StopTimer()
		bd := setup(b, 12)
		bd.fill(n)
		stop := bd.projector(projector.DefaultConfig(), bd.click)
		bd.caughtUp()
		stop()
		// Merges of the projector's parts would be measured too.
		for tick := time.NewTicker(100 * time.Millisecond); bd.number("count() FROM system.merges") > 0; <-tick.C {
		}
		tables := []string{"events", "shipments_state", "order_items_state", "sla_clocks"}
		if historyOnly {
			tables = tables[:1]
		}
		dir := b.TempDir()
		for _, table := range tables {
			bd.exec("CREATE TABLE bare_" + table + " AS " + table)
			for piece := range pieces {
				bd.exec(fmt.Sprintf("INSERT INTO FUNCTION file('%s', 'Native') SELECT * FROM %s WHERE cityHash64(shipment_id) %% %d = %d "+
					"SETTINGS max_block_size = 1024, max_threads = 1", filepath.Join(dir, table+"-"+strconv.Itoa(piece)), table, pieces, piece))
			}
		}
		settle()
		b.StartTimer()
		start := used(b)
		for _, table := range tables {
			for piece := range pieces {
				bd.exec("INSERT INTO bare_" + table + " SELECT * FROM file('" + filepath.Join(dir, table+"-"+strconv.Itoa(piece)) +
					"', 'Native') SETTINGS max_insert_threads = 1, max_threads = 1")
			}
		}
		report(b, start, n)
		require.EqualValues(b, n, bd.number("count() FROM bare_events"))
	}
}

func (b *bundle) exec(sql string) {
	b.t.Helper()
	require.NoError(b.t, b.db.Exec(context.Background(), sql))
}
