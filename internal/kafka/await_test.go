package kafka_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// looking runs Wait until it has looked once and found no ledger. The result arrives in the channel.
func looking(t *testing.T, wait *kafka.LedgerWait) (layout chan events.Layout) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	layout = make(chan events.Layout, 1)
	go func() {
		got, err := wait.Wait(ctx)
		if err == nil {
			layout <- got
		}
	}()
	testkit.Eventually(t, func() bool {
		err := wait.Ready()
		require.Error(t, err)
		return err.Error() == "no ledger on this kafka yet: missing: orders.layout.v1; ingest creates it"
	}, "it says what is missing")
	return layout
}

func TestLedgerWaitCreatesNothing(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 3)
		lines := &testkit.LogLines{}
		wait := kafka.NewLedgerWait(client, cfg, lines.Logger(slog.LevelInfo))
		got := looking(t, wait)
		for _, topic := range kafka.Topics() {
			require.Zero(t, partitions(t, client, topic.Name))
		}
		layout, err := kafka.EnsureLayout(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		testkit.Eventually(t, func() bool {
			err := wait.Ready()
			require.Error(t, err, "it waits for the topics too")
			return err.Error() != "no ledger on this kafka yet: missing: orders.layout.v1; ingest creates it"
		}, "it says what is missing")
		require.ErrorContains(t, wait.Ready(), "missing: orders.events.v1, orders.decisions.v1, ")
		_, err = kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		require.Equal(t, layout, <-got)
		require.NoError(t, wait.Ready())
		require.Len(t, lines.With(t, "ledger awaited"), 1)
		require.Len(t, lines.With(t, "ledger found"), 1)
	})
}

// Waiting can't help against topics that lose records.
func TestLedgerWaitRefusesWrongTopics(t *testing.T) {
	t.Parallel()
	_, client, cfg := faulty(t, 1)
	_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.NoError(t, err)
	drop(t, client, events.TopicDecisions)
	testkit.CreateTopic(t, client, events.TopicDecisions, 1, nil)
	_, err = kafka.NewLedgerWait(client, cfg, testkit.Logger(t)).Wait(t.Context())
	require.ErrorContains(t, err, `topic orders.decisions.v1: retention.ms is "604800000", want "-1"`)
}
