package journal

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const (
	applied     = ledgerv1.Outcome_OUTCOME_APPLIED
	rejected    = ledgerv1.Outcome_OUTCOME_REJECTED
	waits       = ledgerv1.Outcome_OUTCOME_WAITING
	quarantined = ledgerv1.Outcome_OUTCOME_QUARANTINED
	duplicate   = ledgerv1.Outcome_OUTCOME_DUPLICATE
)

// outcomes returns what the decisions of the only lane say, in order.
func (k *book) outcomes() (list []ledgerv1.Outcome) {
	for _, d := range k.decisions[0] {
		if !d.void {
			list = append(list, d.GetOutcome())
		}
	}
	return list
}

func TestNoInputStopsALane(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		j := b.start(config(func(c *Config) { c.MaxRecordBytes = 64 << 10 })).ready()
		long := strings.Repeat("x", 100<<10)
		last := b.append(
			note("a", "0", toy{Kind: "create"}),
			note("a", "1", toy{Kind: "panic"}),
			note("a", "2", toy{Kind: "undecodable"}),
			InboxRecord{ShipmentID: "a", Key: "3", Body: []byte("not JSON")},
			InboxRecord{ShipmentID: "a", Key: "4"},
			note("a", "5", toy{Kind: "note", Text: long}),
			note("a", "6", toy{Kind: "crooked"}),
			InboxRecord{ShipmentID: "", Key: "7", Body: toy{Kind: "note"}.body()},
			InboxRecord{ShipmentID: long, Key: "8", Body: toy{Kind: "note"}.body()},
			note("a", strings.Repeat("k", 50<<10), toy{Kind: "note"}),
			note("a", "10", toy{Kind: "note", At: time.Now().AddDate(5, 0, 0)}),
		)
		j.decided(0, last)
		k := b.check()
		require.Equal(t, []ledgerv1.Outcome{
			applied, quarantined, quarantined, quarantined, quarantined, quarantined, quarantined, quarantined, quarantined,
			applied, applied,
		}, k.outcomes())
		reasons := []shipment.Code{
			"", shipment.ReasonFailed, shipment.ReasonBadBody, shipment.ReasonBadBody, shipment.ReasonBadBody, shipment.ReasonTooLarge,
			shipment.ReasonFailed, shipment.ReasonBadID, shipment.ReasonBadID, "", "",
		}
		for i, want := range reasons {
			require.EqualValues(t, want, k.decisions[0][i].GetReason(), "input %d", i)
		}
		require.NotEmpty(t, k.decisions[0][1].GetBody(), "what is quarantined is held")

		for kind, want := range map[string]shipment.Code{"panic": shipment.ReasonFailed, "crooked": shipment.ReasonFailed} {
			r := j.mustSubmit(cmd("a", kind, ""))
			require.Equal(t, rejected, r.Outcome)
			require.Equal(t, want, r.Reason)
		}
		require.Equal(t, shipment.ReasonTooLarge, j.mustSubmit(cmd("a", "note", long)).Reason)
		require.EqualValues(t, 4, j.mustSubmit(cmd("a", "note", "fine")).Version)
		odd := Command{ShipmentID: "a", Input: toy{Kind: "note", At: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)}}
		require.EqualValues(t, 5, j.mustSubmit(odd).Version, "a time that no envelope holds")
		b.check()
	})
}

func TestARecordThatTheBrokerRefusesIsFoundByHalving(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	// The broker takes less than the journal believes; what is in one batch with the culprit is refused with it.
	var refused atomic.Int32
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "orders.events.v1", Err: kerr.MessageTooLarge, Count: -1, When: func(r kmsg.Request) bool {
		for _, topic := range r.(*kmsg.ProduceRequest).Topics {
			for _, p := range topic.Partitions {
				if strings.Contains(string(p.Records), "culprit") {
					refused.Add(1)
					return true
				}
			}
		}
		return false
	}})
	j := b.start(config(func(c *Config) { c.MaxBatch = 64 }))
	records := []InboxRecord{note("a", "create", toy{Kind: "create"})}
	for i := range 30 {
		text := "fine"
		if i == 17 {
			text = "culprit"
		}
		records = append(records, note("a", text+string(rune('A'+i)), toy{Kind: "note", Text: text}))
	}
	// The culprit's key names it, and events carry the key; so the decision has another text in its key.
	records[18].Key = "number-17"
	last := b.append(records...)
	j.decided(0, last)
	k := b.check()
	require.Len(t, k.decisions[0], 31)
	for i, d := range k.decisions[0] {
		want := applied
		if i == 18 {
			want = quarantined
		}
		require.Equal(t, want, d.GetOutcome(), "input %d", i)
	}
	require.Greater(t, refused.Load(), int32(2), "it was halved")
	require.EqualValues(t, shipment.ReasonTooLarge, k.decisions[0][18].GetReason())
}

func TestAFactWaitsForItsShipmentAndIsAppliedInOrder(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		j := b.start(storeIn(dir)).ready()
		j.decided(0, b.append(
			note("a", "n1", toy{Kind: "note", Text: "first"}), note("b", "n", toy{Kind: "note"}),
			note("a", "n2", toy{Kind: "stale"}), note("a", "n1", toy{Kind: "note", Text: "first"}), note("a", "n3", toy{Kind: "note", Text: "third"})))
		j.stop()
		for _, store := range []string{dir, t.TempDir()} {
			j = b.start(storeIn(store)).ready()
			require.EqualValues(t, 4, j.lanes.serving(0).store.Meta().Waiting, "in the store and in one built again")
			j.stop()
		}
		j = b.start(storeIn(dir)).ready()
		j.decided(0, b.append(note("a", "c", toy{Kind: "create"})))
		k := b.check()
		require.Equal(t, []ledgerv1.Outcome{
			waits, waits, waits, duplicate, waits,
			applied, applied, ledgerv1.Outcome_OUTCOME_STALE, applied,
		}, k.outcomes())
		end := k.decisions[0][6]
		require.True(t, end.GetWaited())
		require.EqualValues(t, 0, end.GetInboxOffset())
		require.Equal(t, "corr-a", end.CorrelationID)
		require.Equal(t, "first", k.events[0][1].event.GetAfter().GetOrderId())
		require.EqualValues(t, 0, k.events[0][1].Envelope.InboxOffset)
		require.Equal(t, "third", k.events[0][2].event.GetAfter().GetOrderId())
		require.EqualValues(t, 1, j.lanes.serving(0).store.Meta().Waiting)
	})
}

func TestAWaitingInputAndTheCreationInOneBatch(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		last := b.append(note("a", "n1", toy{Kind: "note"}), note("a", "c", toy{Kind: "create"}), note("a", "n1", toy{Kind: "note"}))
		j := b.start().ready()
		j.decided(0, last)
		require.Equal(t, []ledgerv1.Outcome{waits, applied, applied, duplicate}, b.check().outcomes())
		require.Zero(t, j.lanes.serving(0).store.Meta().Waiting)
	})
}

type fakeClock struct{ at atomic.Int64 }

// newClock begins in the past: Apache Kafka refuses records that lie an hour ahead of its own clock.
func newClock() *fakeClock {
	c := new(fakeClock)
	c.at.Store(time.Now().Add(-6 * time.Hour).UnixMilli())
	return c
}

func (c *fakeClock) now() time.Time      { return time.UnixMilli(c.at.Load()) }
func (c *fakeClock) add(d time.Duration) { c.at.Add(d.Milliseconds()) }

func TestWaitingEndsByAgeButTheCreationStillAppliesIt(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		now, dir := newClock(), t.TempDir()
		old := config(func(c *Config) { c.WaitingLimit = time.Hour })
		j := b.start(old, clock(now.now), storeIn(dir)).ready()
		j.decided(0, b.append(note("a", "n1", toy{Kind: "note"}), note("b", "n", toy{Kind: "note"})))
		now.add(2 * time.Hour)
		testkit.Eventually(t, func() bool { return len(b.read().decisions[0]) == 4 }, "both are quarantined")
		// Its key was not answered: it may come again, and waits again.
		j.decided(0, b.append(note("b", "n", toy{Kind: "note"})))
		j.stop()
		for _, store := range []string{t.TempDir(), dir} {
			j = b.start(old, clock(now.now), storeIn(store)).ready()
			require.EqualValues(t, 3, j.lanes.serving(0).store.Meta().Waiting)
			if store != dir {
				j.stop()
			}
		}
		j.decided(0, b.append(note("a", "c", toy{Kind: "create"}), note("b", "c", toy{Kind: "create"})))
		k := b.check()
		require.Equal(t, []ledgerv1.Outcome{
			waits, waits, quarantined, quarantined, waits, applied, applied, applied, applied, duplicate,
		}, k.outcomes())
		require.EqualValues(t, shipment.ReasonWaitedTooLong, k.decisions[0][2].GetReason())
		require.NotEmpty(t, k.decisions[0][2].GetBody())
		require.Zero(t, j.lanes.serving(0).store.Meta().Waiting)
	})
}

func TestAKeyIsAnsweredOnceForTheLifeOfTheShipment(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		j := b.start(storeIn(dir)).ready()
		yes := j.mustSubmit(keyed(createCmd("a"), "k1"))
		no := j.mustSubmit(keyed(cmd("a", "reject", ""), "k2"))
		require.Equal(t, rejected, no.Outcome)
		other := keyed(cmd("a", "note", "other"), "k1")
		reused := j.mustSubmit(other)
		require.Equal(t, rejected, reused.Outcome)
		require.Equal(t, shipment.CodeIdempotencyKeyReused, reused.Reason)
		require.False(t, reused.Repeated)
		n := len(b.check().decisions[0])

		yes.Repeated, no.Repeated = true, true
		for _, store := range []string{dir, dir, t.TempDir()} {
			require.Equal(t, yes, j.mustSubmit(keyed(createCmd("a"), "k1")))
			require.Equal(t, no, j.mustSubmit(keyed(cmd("a", "reject", ""), "k2")))
			require.Len(t, b.check().decisions[0], n, "a repeated command is not a new input")
			j.stop()
			j = b.start(storeIn(store)).ready()
		}
		require.Equal(t, yes, j.mustSubmit(keyed(createCmd("a"), "k1")))
		// Keys are kept for each shipment.
		require.False(t, j.mustSubmit(keyed(createCmd("b"), "k1")).Repeated)
	})
}

func TestTheSameKeyTwiceInOneBatchIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		j := b.start().ready()
		c := keyed(createCmd("a"), "k")
		other := keyed(cmd("a", "note", "other"), "k")
		for i, r := range j.SubmitAll(t.Context(), []Command{c, c, other}) {
			require.NoError(t, r.Err)
			require.Equal(t, i == 1, r.Receipt.Repeated)
			require.Equal(t, i == 2, r.Receipt.Reason == shipment.CodeIdempotencyKeyReused)
		}
		require.Len(t, b.check().events[0], 1)
	})
}

func TestRecordedTimeNeverGoesBackward(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		now, dir := newClock(), t.TempDir()
		j := b.start(clock(now.now), storeIn(dir)).ready()
		j.mustSubmit(createCmd("a"))
		now.add(-30 * time.Second)
		j.mustSubmit(cmd("a", "note", "x"))
		j.stop()
		now.add(-10 * time.Second)
		j = b.start(clock(now.now), storeIn(dir)).ready()
		j.mustSubmit(cmd("a", "note", "y"))
		j.stop()
		b.check()
		now.add(-time.Hour)
		j = b.start(clock(now.now), storeIn(dir))
		testkit.Eventually(t, func() bool { return errors.Is(j.Ready(), ErrClockBehind) }, "the lane is not opened")
		now.add(2 * time.Hour)
		j.ready()
		require.EqualValues(t, 4, j.mustSubmit(cmd("a", "note", "z")).Version)
	})
}

func TestAnOddCommandIsRefusedBeforeTheLane(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		j := b.start().ready()
		for _, c := range []Command{{}, {ShipmentID: "a"}, {ShipmentID: "a", Input: toy{}, Key: "auto/x"}} {
			_, err := j.Submit(t.Context(), c)
			require.ErrorIs(t, err, ErrInvalid)
		}
		require.ErrorIs(t, j.SubmitAll(t.Context(), []Command{{}})[0].Err, ErrInvalid)
		// A fact that nobody holds the body of can't wait.
		r := j.mustSubmit(Command{ShipmentID: "a", Input: toy{Kind: "note", Fact: true}, Hash: sha256.Sum256(nil)})
		require.Equal(t, quarantined, r.Outcome)
		b.check()
	})
}
