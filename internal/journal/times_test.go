package journal

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/internal/testkit"
)

type fakeClock struct{ at atomic.Int64 }

// newClock begins in the past: a broker with other settings refuses records that are an hour ahead of its own clock.
func newClock() *fakeClock {
	c := new(fakeClock)
	c.at.Store(time.Now().Add(-6 * time.Hour).UnixMilli())
	return c
}

func (c *fakeClock) now() time.Time      { return time.UnixMilli(c.at.Load()).UTC() }
func (c *fakeClock) add(d time.Duration) { c.at.Add(d.Milliseconds()) }

const tenYears = 10 * 366 * 24 * time.Hour

// Recorded time rises with every batch, whatever the clock does, and no clock keeps a lane closed.
func TestBatchRecordedTime(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		now, dir := newClock(), t.TempDir()
		j := b.start(clock(now.now), storeIn(dir)).ready()
		j.mustSubmit(createCmd("a"))
		j.mustSubmit(cmd("a", "note", "in the same millisecond"))
		for _, d := range []time.Duration{-30 * time.Second, -3 * time.Hour, 2 * time.Hour, -5 * time.Hour} {
			now.add(d)
			j.mustSubmit(cmd("a", "note", "x"))
			j.stop()
			now.add(-time.Second)
			j = b.start(clock(now.now), storeIn(dir)).ready()
			j.mustSubmit(cmd("a", "note", "y"))
		}
		j.stop()
		b.risesStrictly()
	})
}

// risesStrictly checks the ledger of a test whose batches have one event each.
func (b *bundle) risesStrictly() *book {
	b.Helper()
	k := b.check()
	for i, e := range k.events[0][1:] {
		require.True(b, e.RecordedAt.After(k.events[0][i].RecordedAt), "event %d", i+1)
	}
	return k
}

// The rules, the times of commands and updated_at follow the clock, also in a lane to which an earlier clock wrote
// years ahead.
func TestBatchTimesAfterClockJump(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{
		"ten years ahead": tenYears, "an hour ahead": time.Hour, "three hours back": -3 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			now, dir := newClock(), t.TempDir()
			var decidedAt atomic.Int64
			rules := func(_ *Config, d *Deps, j *Journal) {
				d.Now = now.now
				j.decide = func(s *shipment.State, in shipment.Input, c shipment.Context) shipment.Decision {
					decidedAt.Store(c.Now.UnixMilli())
					return decideToy(s, in, c)
				}
			}
			j := b.start(rules, storeIn(dir)).ready()
			j.mustSubmit(createCmd("a"))
			now.add(jump)
			j.mustSubmit(cmd("a", "note", "in between"))
			require.Equal(t, now.at.Load(), decidedAt.Load())
			j.stop()
			now.add(time.Second - jump)
			j = b.start(rules, storeIn(dir)).ready()
			j.mustSubmit(cmd("a", "note", "back"))
			require.Equal(t, now.at.Load(), decidedAt.Load())
			j.mustSubmit(cmd("a", "reject", ""))

			k := b.risesStrictly()
			last := k.events[0][2]
			require.Equal(t, now.now(), last.OccurredAt, "a command happens when it is decided")
			require.Equal(t, now.now(), last.DecidedAt)
			for _, d := range k.decisions[0][2:] {
				require.Equal(t, now.now(), d.Envelope.OccurredAt)
				require.Equal(t, now.now(), d.Envelope.DecidedAt)
				require.Equal(t, d.Envelope.DecidedAt.Equal(d.Envelope.RecordedAt), d.Decision.DecidedAt == nil)
			}
			updated := last.RecordedAt
			if jump == tenYears {
				updated = now.now()
				require.Equal(t, k.events[0][1].RecordedAt.Add(time.Millisecond), last.RecordedAt)
			}
			require.Equal(t, updated, last.event.GetAfter().GetUpdatedAt().AsTime())
		})
	}
}

// The configuration can give a seller its own time. It decides the seller's inputs, and changes no recorded time.
func TestBatchSellerClock(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	now, own := newClock(), time.Date(2031, 5, 6, 7, 8, 9, 123456789, time.UTC)
	j := b.start(func(_ *Config, d *Deps, _ *Journal) {
		d.Now = now.now
		d.Clock = func(sellerID string) time.Time {
			if sellerID == "s1" {
				return own
			}
			return time.Time{}
		}
	}).ready()
	j.mustSubmit(createCmd("a"))
	other := createCmd("b")
	other.SellerID = "s2"
	j.mustSubmit(other)
	fact := note("a", "n", toy{Kind: "note"})
	fact.SellerID = "" // The shipment says whose it is.
	j.decided(0, b.append(fact))
	k := b.check()
	require.Equal(t, own.Truncate(time.Millisecond), k.events[0][2].DecidedAt)
	require.Equal(t, own.Truncate(time.Millisecond), k.events[0][0].OccurredAt)
	require.Equal(t, own.Truncate(time.Millisecond), k.events[0][0].DecidedAt)
	require.Equal(t, own.Truncate(time.Millisecond), k.decisions[0][0].Envelope.DecidedAt)
	require.Equal(t, now.now(), k.events[0][0].RecordedAt)
	require.Equal(t, now.now(), k.events[0][1].OccurredAt)
}

// A broker that refuses the recorded time refuses it for every input, so the lane closes and no input is rejected.
func TestWriterInvalidTimestamp(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start().ready()
	j.mustSubmit(createCmd("a"))
	fault := b.cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: "orders.events.v1", Err: kerr.InvalidTimestamp, Count: -1,
	})
	last := b.append(note("a", "n", toy{Kind: "note"}))
	testkit.Eventually(t, func() bool { return errors.Is(j.Ready(), ErrTimestamp) }, "the lane says why it is closed")
	require.ErrorContains(t, j.Ready(), "message.timestamp.after.max.ms")
	fault.Remove()
	j.decided(0, last)
	k := b.check()
	require.Equal(t, applied, k.decisions[0][1].GetOutcome())
}

// A fact that waits in a lane that is years ahead expires by the clock.
func TestIntakeExpiresAfterClockJump(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	now := newClock()
	j := b.start(clock(now.now), config(func(c *Config) { c.WaitingLimit = time.Hour })).ready()
	now.add(tenYears)
	j.mustSubmit(createCmd("a"))
	now.add(time.Minute - tenYears)
	j.decided(0, b.append(note("x", "n", toy{Kind: "note"})))
	now.add(59 * time.Minute)
	j.mustSubmit(cmd("a", "note", "x"))
	require.Len(t, b.read().decisions[0], 3)
	now.add(time.Minute)
	testkit.Eventually(t, func() bool { return len(b.read().decisions[0]) == 4 }, "it is quarantined")
	require.Equal(t, quarantined, b.check().decisions[0][3].GetOutcome())
}

// A decision that is restored after a torn transaction says when its input was decided, not when it was restored.
func TestTakeoverRestoresDecidedAt(t *testing.T) {
	t.Parallel()
	whole := setup(t, 1)
	now := newClock()
	j := whole.start(clock(now.now)).ready()
	j.mustSubmit(createCmd("a"))
	now.add(-time.Hour)
	j.mustSubmit(keyed(cmd("a", "note", "x"), "k"))
	j.stop()
	lost := whole.check().decisions[0][1]
	require.Equal(t, now.now(), lost.Envelope.DecidedAt)

	b := setup(t, 1)
	b.transplant(whole, func(topic string, seq uint64) bool { return topic == events.TopicDecisions && seq > 1 }, nil)
	now.add(-time.Hour)
	b.start(embedded(), clock(now.now)).ready().mustSubmit(cmd("a", "note", "y"))
	restored := b.check().decisions[0][1]
	require.EqualValues(t, ReasonRestored, restored.GetReason())
	require.Equal(t, lost.Envelope.DecidedAt, restored.Envelope.DecidedAt)
	require.True(t, restored.Envelope.RecordedAt.After(lost.Envelope.RecordedAt))
}

// setTimestampLimit sets how far ahead of the broker's clock the records of a ledger may be, in milliseconds.
func (b *bundle) setTimestampLimit(limit string) {
	b.Helper()
	adm := kadm.NewClient(testkit.Client(b, b.brokers))
	topics := []string{events.TopicEvents, events.TopicDecisions, events.TopicInbox}
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.timestamp.after.max.ms", Value: &limit}}
	resp, err := adm.AlterTopicConfigs(b.Context(), change, topics...)
	require.NoError(b, err)
	for _, r := range resp {
		require.NoError(b, r.Err)
	}
}

// Apache Kafka refuses records 61 minutes ahead of its clock, unless the topic allows them. The lane then closes, says
// what to set, and decides everything once that is set.
func TestLaneAheadOfBroker(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		now := func() time.Time { return time.Now().Add(61 * time.Minute) }
		call := make(chan Result, 1)
		var j *instance
		if on == testkit.Apache {
			b.setTimestampLimit("3600000")
			j = b.start(clock(now)).ready()
			go func() {
				r, err := j.Submit(t.Context(), createCmd("a"))
				call <- Result{r, err}
			}()
			testkit.Eventually(t, func() bool { return errors.Is(j.Ready(), ErrTimestamp) }, "the lane says why it is closed")
			b.setTimestampLimit("9223372036854775807")
		} else {
			j = b.start(clock(now)).ready()
			call <- Result{Receipt: j.mustSubmit(createCmd("a"))}
		}
		r := <-call
		require.NoError(t, r.Err)
		require.EqualValues(t, 1, r.Receipt.Version)
		j.decided(0, b.append(note("a", "n", toy{Kind: "note"})))
		b.check()
	})
}
