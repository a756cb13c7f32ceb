package journal

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/internal/testkit"
)

// told returns the inbox position that the group of that name was told.
func (b *bundle) told(lane int32) int64 {
	b.Helper()
	offsets, err := kadm.NewClient(testkit.Client(b, b.brokers)).FetchOffsets(b.Context(), kafka.GroupInbox("orderledger"))
	if err != nil {
		return -1 // The group may not be there yet.
	}
	if o, ok := offsets.Lookup(events.TopicInbox, lane); ok {
		return o.At
	}
	return -1
}

func TestTheInboxPositionIsTold(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 2)
		j := b.start(config(func(c *Config) { c.InboxCommitEvery = time.Hour })).ready()
		testkit.Eventually(t, func() bool { return b.told(0) == 0 && b.told(1) == 0 }, "of lanes that have nothing yet, too")
		lane := events.Lane("a", 2)
		last := b.append(note("a", "c", toy{Kind: "create"}), note("a", "n", toy{Kind: "note"}))
		testkit.Eventually(t, func() bool { return b.told(lane) == last+1 }, "an idle lane tells it at once")
		require.EqualValues(t, 0, b.told(1-lane))
		j.stop()
	})
}

func TestTheInboxIsReadOnExactlyWhereItWasDecided(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		var last int64
		for round := range 4 {
			for i := range 25 {
				last = b.append(note("a", fmt.Sprint(round, "-", i), toy{Kind: "create"}))
			}
			// Each owner begins without a store, and is stopped in the middle.
			j := b.start(config(func(c *Config) { c.MaxBatch = 2 })).ready()
			testkit.Eventually(t, func() bool { return j.lanes.positions()[0] > last-10 }, "most is decided")
			j.stop()
		}
		j := b.start().ready()
		j.decided(0, last)
		k := b.check()
		for i, d := range k.decisions[0] {
			require.EqualValues(t, i, d.GetInboxOffset())
		}
	})
}

func TestTheInboxIsTrimmedBelowThePosition(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		j := b.start(storeIn(dir), config(func(c *Config) { c.InboxKeep, c.InboxTrimEvery = 2, 10*time.Millisecond })).ready()
		var last int64
		for i := range 10 {
			last = b.append(note("w", fmt.Sprint(i), toy{Kind: "note"}))
		}
		j.decided(0, last)
		testkit.Eventually(t, func() bool {
			spans, err := j.topics.spans(t.Context(), 0)
			return err == nil && spans[events.TopicInbox].start == last+1-2
		}, "trimmed")
		j.stop()
		// What waits is held by its decision.
		j = b.start().ready()
		require.EqualValues(t, 11, j.mustSubmit(createCmd("w")).Version+10)
		s, err := j.State(t.Context(), "w")
		require.NoError(t, err)
		require.EqualValues(t, 11, s.GetVersion())
	})
}

func TestTopicsThatAreNotTheLanesAreRefused(t *testing.T) {
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

func TestAJournalMayBeClosedAtAnyTime(t *testing.T) {
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

func TestASecondInstanceOfTheSameNameIsRefused(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		first := b.start(named("one")).ready()
		second := b.start(named("one")).ready()
		first.ended = true
		require.ErrorContains(t, <-first.done, "another instance uses it")
		require.EqualValues(t, 1, second.mustSubmit(createCmd("a")).Version)
	})
}

func TestConfigurationProblemsAreToldTogether(t *testing.T) {
	t.Parallel()
	require.NoError(t, DefaultConfig().Validate())
	err := Config{
		Lanes: 5000, MaxBatch: -1, MaxBatchBytes: -1, MaxRecordBytes: -1, MaxDecisionBody: -1, CacheBytes: -1,
		WaitingLimit: -1,
	}.Validate()
	for _, word := range []string{"cluster", "store folder", "lanes 5000", "batch of -1 inputs", "batch of -1 bytes", "record of", "decision body", "cache", "waiting limit"} {
		require.ErrorContains(t, err, word)
	}
	_, err = New(Config{}, Deps{})
	require.Error(t, err)
}

func TestTheRealAggregateDecides(t *testing.T) {
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
		require.True(t, s.GetOnHold(), "the hold had come first")
		k := b.check()
		held := k.decisions[0][0]
		require.Equal(t, waits, held.GetOutcome())
		require.WithinDuration(t, created.At, held.GetOccurredAt().AsTime(), 0, "a fact that gives no events happened when it says, not when it came")
	})
}
