package journal

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/journal/membership"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/internal/testkit"
)

// Topics that are not the lanes are refused.
func TestRunRefusesOtherTopics(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 2)
		j, err := New(Config{Cluster: "c", Lanes: 3, StoreDir: t.TempDir()}, Deps{Options: kafka.Options(testkit.KafkaConfig(b.brokers, 3))})
		require.NoError(t, err)
		require.ErrorIs(t, j.Run(t.Context()), ErrLanes)
		require.Error(t, j.Run(t.Context()), "it runs once")
		require.NoError(t, j.Close())
		require.NoError(t, j.Close())
	})
}

// A journal may be closed at any time.
func TestCloseAtAnyTime(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 2)
		for range 8 {
			j := b.start()
			j.ended = true
			require.NoError(t, j.Close())
			select {
			case err := <-j.done:
				if err != nil {
					require.ErrorContains(t, err, "closed before")
				}
			case <-time.After(testkit.Limit):
				t.Fatal("Run did not return")
			}
			_, err := j.Submit(t.Context(), createCmd("a"))
			require.ErrorIs(t, err, ErrNotOwner)
		}
	})
}

// A second instance with the same instance id is refused.
func TestRunRefusesSameInstanceID(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		first := b.start(named("one")).ready()
		second := b.start(named("one")).ready()
		first.ended = true
		require.ErrorContains(t, <-first.done, `instance id "one": another instance uses it; give each its own in `+membership.EnvInstanceID)
		require.EqualValues(t, 1, second.mustSubmit(createCmd("a")).Version)
	})
}

// Validate reports all problems of a configuration together.
func TestConfigValidateJoinsProblems(t *testing.T) {
	t.Parallel()
	require.NoError(t, DefaultConfig().Validate())
	err := Config{
		Lanes: 5000, MaxBatch: -1, MaxBatchBytes: -1, MaxRecordBytes: -1, MaxDecisionBody: -1, CacheBytes: -1,
		WaitingLimit: -1, WaitingCount: -1,
	}.Validate()
	for _, word := range []string{"cluster", "store folder", "lanes 5000", "batch of -1 inputs", "batch of -1 bytes", "record of", "decision body", EnvCache, "waiting limit", EnvWaitingCount} {
		require.ErrorContains(t, err, word)
	}
	_, err = New(Config{}, Deps{})
	require.Error(t, err)
}

// The real rules decide unless a test replaces them.
func TestJournalWithRealRules(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		created := shipment.Created{
			Fact:    shipment.Fact{ShipmentID: "a", SellerID: "s1", LocationID: "l1", At: time.Now().Add(-time.Hour), Source: "test"},
			OrderID: "o1", ShipmentType: "NORMAL",
			Items: []shipment.CreatedItem{{OrderItemID: "i1", CancellationGroupID: "g1", Quantity: 2}},
		}
		j := b.start(func(_ *Config, d *Deps, j *Journal) {
			j.decide = shipment.Decide
			d.Policy = func(string, string) shipment.Policy { return shipment.Policy{Own: true} }
			d.Decode = func(_, _ string, body []byte) (shipment.Input, error) {
				if string(body) == "created" {
					return created, nil
				}
				return shipment.Hold{Fact: created.Fact}, nil
			}
		}).ready()
		rec := func(key, body string) InboxRecord {
			return InboxRecord{ShipmentID: "a", Key: key, SellerID: "s1", AuthType: "marketplace", Body: []byte(body)}
		}
		last := b.append(rec("h", "hold"), rec("c", "created"), rec("c", "created"))
		j.decided(0, last)
		s, err := j.State(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, "o1", s.GetOrderId())
		require.True(t, s.GetOnHold(), "the hold was applied when the creation came")
		k := b.check()
		held := k.decisions[0][0]
		require.Equal(t, waits, held.GetOutcome())
		require.WithinDuration(t, created.At, held.GetOccurredAt().AsTime(), 0, "a fact without events happened at its own time, not when it arrived")
	})
}
