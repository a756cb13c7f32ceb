// Command bench runs the benchmarks that belong together several times in one run, ours beside the raw limit, and
// prints the medians with the spread. On a noisy machine only figures of one run may be compared, and only their
// medians.
//
//	go run ./internal/testkit/bench [-rounds 5] [-only lane]
//
// What is about Apache Kafka runs on the one in ORDERLEDGER_TEST_KAFKA, where it makes a ledger of its own and deletes
// it again. It refuses a Kafka that holds a ledger, unless -empty says that this one may go.
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

// settings are the flags.
type settings struct {
	rounds  int
	seconds int
	brokers []string // Of Apache Kafka; none means that there is none.
	empty   bool
}

// envKafka holds the addresses of the Apache Kafka to measure on, comma-separated.
const envKafka = "ORDERLEDGER_TEST_KAFKA"

func suites() []suite {
	return []suite{
		{"decide", "Decide and Evolve, one shipment", goTest("./internal/shipment", "DecideEvolve", "1s")},
		{"codec", "Event codec", goTest("./events", ".", "300ms")},
		{"lane", "Lane commit beside a plain produce with acks=all, kfake in the process", goTest("./internal/journal", "(Lane|PlainProduce|RawTransactions)/kfake", "1s")},
		{"lane-kafka", "Lane commit beside a plain produce with acks=all, Apache Kafka", onKafka(goTest("./internal/journal", "(Lane|PlainProduce|RawTransactions)/apache", "1s"))},
		{"http", "Commands over HTTP at a rate that is offered whatever comes back, Apache Kafka", onKafka(offered)},
		{"bulk", "Bulk: what one core of an ingest process accepts, Apache Kafka", onKafka(bulk)},
		{"projector", "Projector beside the bare INSERT … FROM INFILE of the same rows", goTest("./internal/projector", ".", "1x")},
		{"emitter", "Emitter beside a bare POST loop", goTest("./internal/emitter", "Deliver|BarePost", "2s")},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // What was made is taken away again.
	ok := run(ctx)
	stop()
	if !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context) bool {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 5, "how often to run each benchmark")
	flag.IntVar(&s.seconds, "seconds", 10, "how long to offer commands over HTTP, each time")
	flag.BoolVar(&s.empty, "empty", false, "delete the ledger that is on "+envKafka+" first")
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
		if err := vacant(ctx, s); err != nil {
			return err
		}
		return run(ctx, s, out)
	}
}
