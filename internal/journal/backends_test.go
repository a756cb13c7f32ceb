package journal

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// onEach runs a test with a ledger on each available kind of Kafka.
func onEach(t *testing.T, lanes int, test func(b *bundle)) {
	t.Helper()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) { test(setupOn(t, on, lanes)) })
}

// terse logs warnings and errors only: a test of many thousand commands must not keep a line for each.
func terse() option {
	return func(_ *Config, d *Deps, _ *Journal) { d.Log = slog.New(levelled{d.Log.Handler()}) }
}

type levelled struct{ slog.Handler }

func (levelled) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (h levelled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelled{h.Handler.WithAttrs(attrs)}
}

// ends returns the ends of a lane's events and decisions, uncommitted records included.
func (b *bundle) ends(lane int32) [2]int64 {
	b.Helper()
	return [2]int64{b.end(events.TopicEvents, lane), b.end(events.TopicDecisions, lane)}
}

// settledEnds returns the ends once every transaction has its marker: Apache Kafka confirms a commit before it has
// written the markers.
func (b *bundle) settledEnds(lane int32) [2]int64 {
	b.Helper()
	adm := kadm.NewClient(testkit.Client(b, b.brokers))
	topics := []string{events.TopicEvents, events.TopicDecisions}
	testkit.Eventually(b, func() bool {
		stable, err := adm.ListCommittedOffsets(b.Context(), topics...)
		require.NoError(b, err)
		for _, topic := range topics {
			if o, _ := stable.Lookup(topic, lane); o.Offset != b.end(topic, lane) {
				return false
			}
		}
		return true
	}, "a transaction has no marker")
	return b.ends(lane)
}

// describe returns the coordinator's description of a lane's two ids.
func (b *bundle) describe(adm *kadm.Client, ids ...string) []kadm.DescribedTransaction {
	b.Helper()
	all, err := adm.DescribeTransactions(b.Context(), ids...)
	require.NoError(b, err)
	out := make([]kadm.DescribedTransaction, len(ids))
	for i, id := range ids {
		out[i] = all[id]
		require.NoError(b, out[i].Err)
	}
	return out
}

func (b *bundle) options() []kgo.Opt { return kafka.Options(testkit.KafkaConfig(b.brokers, b.lanes)) }

// soak reports whether the long version of a test was requested.
func soak() bool { return os.Getenv("ORDERLEDGER_TEST_SOAK") != "" }
