package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// suite is a group of benchmarks to be read side by side.
type suite struct {
	name, title string
	run         func(ctx context.Context, s settings, out *table) error
}

// settings are the flags and the addresses of Apache Kafka.
type settings struct {
	rounds  int
	seconds int
	brokers []string // Empty when there is no Apache Kafka.
	empty   bool
}

// envKafka holds the addresses of the Apache Kafka to measure on, comma-separated.
const envKafka = "ORDERLEDGER_TEST_KAFKA"

func suites() []suite {
	return []suite{
		{"decide", "Decide and Evolve, one shipment", goTest("./internal/shipment", "DecideEvolve", "1s")},
		{"codec", "Event codec", goTest("./events", ".", "300ms")},
		{"lane", "Lane commit beside a plain produce with acks=all, kfake in this process", laneCommit("kfake")},
		{"lane-kafka", "Lane commit beside a plain produce with acks=all, Apache Kafka", onKafka(laneCommit("apache"))},
		{"http", "Commands over HTTP at a fixed offered rate, Apache Kafka", onKafka(offered)},
		{"bulk", "Bulk: what one core of an ingest process accepts, Apache Kafka", onKafka(bulk)},
		{
			"projector", "Projector beside a bare INSERT … FROM INFILE of the same rows",
			goTest("./internal/projector", ".", "1x"),
		},
		{"emitter", "Emitter beside a bare POST loop", goTest("./internal/emitter", "Deliver|BarePost", "2s")},
	}
}

func laneCommit(on string) func(context.Context, settings, *table) error {
	return goTest("./internal/journal", "(Lane|PlainProduce|RawTransactions)/"+on, "1s")
}

func main() {
	// A signal cancels the context and does not end the process: suites delete what they have created.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok := run(ctx)
	stop()
	if !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context) bool {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 5, "how often to run each benchmark")
	flag.IntVar(&s.seconds, "seconds", 10, "seconds for which each round offers commands over HTTP")
	flag.BoolVar(&s.empty, "empty", false, "first delete the ledger on the Kafka of "+envKafka)
	only := flag.String("only", "", "run only these suites, comma-separated: "+names())
	flag.Parse()
	if text := os.Getenv(envKafka); text != "" {
		s.brokers = strings.Split(text, ",")
	}
	ok := true
	for _, one := range suites() {
		if *only != "" && !strings.Contains(","+*only+",", ","+one.name+",") || ctx.Err() != nil {
			continue
		}
		t := newTable()
		if err := one.run(ctx, s, t); err != nil {
			fmt.Fprintf(os.Stderr, "bench %s: %v\n", one.name, err)
			ok = false
		}
		if err := t.print(os.Stdout, fmt.Sprintf("%s (medians of %d)", one.title, s.rounds)); err != nil {
			fmt.Fprintf(os.Stderr, "bench %s: %v\n", one.name, err)
			ok = false
		}
	}
	return ok
}

func names() string {
	var list []string
	for _, s := range suites() {
		list = append(list, s.name)
	}
	return strings.Join(list, ", ")
}

// onKafka skips a suite where there is no Apache Kafka, and says so.
func onKafka(run func(context.Context, settings, *table) error) func(context.Context, settings, *table) error {
	return func(ctx context.Context, s settings, out *table) error {
		if len(s.brokers) == 0 {
			out.skipped = "no Apache Kafka: set " + envKafka
			return nil
		}
		if err := requireNoLedger(ctx, s); err != nil {
			return err
		}
		return run(ctx, s, out)
	}
}
