package journal

import (
	"errors"
	"slices"
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
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
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

// waitingSince returns when the only fact that waits for a shipment began to wait.
func (i *instance) waitingSince(id string) time.Time {
	i.b.Helper()
	list, err := i.lanes.serving(0).store.WaitingFor(id)
	require.NoError(i.b, err)
	require.Len(i.b, list, 1)
	return list[0].Since
}

// A seller's own clock decides its facts, and does not say how long they wait, in a rebuilt store neither.
func TestIntakeWaitsByWallClock(t *testing.T) {
	t.Parallel()
	for name, years := range map[string]int{"a year behind": -1, "a year ahead": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			now, dir := newClock(), t.TempDir()
			own := func(string) time.Time { return now.now().AddDate(years, 0, 0) }
			start := func(dir string) *instance {
				limit := config(func(c *Config) { c.WaitingLimit = time.Hour })
				sandbox := func(_ *Config, d *Deps, _ *Journal) { d.Clock = own }
				return b.start(clock(now.now), limit, sandbox, storeIn(dir)).ready()
			}
			j := start(dir)
			recorded, decided := now.now(), own("s1")
			j.decided(0, b.append(note("a", "n", toy{Kind: "note"})))
			require.Equal(t, recorded, j.waitingSince("a"))
			j.stop()
			now.add(59 * time.Minute)
			for _, store := range []string{t.TempDir(), dir} {
				j = start(store)
				require.Equal(t, recorded, j.waitingSince("a"))
				if store != dir {
					j.stop()
				}
			}
			now.add(time.Minute)
			testkit.Eventually(t, func() bool { return len(b.read().decisions[0]) == 2 }, "it is quarantined")
			k := b.check()
			require.Equal(t, []ledgerv1.Outcome{waits, quarantined}, k.outcomes())
			require.Equal(t, decided, k.decisions[0][0].Envelope.DecidedAt)

			// In a lane that is ahead, the recorded time is of no use.
			now.add(tenYears)
			j.mustSubmit(createCmd("b"))
			now.add(-tenYears)
			recorded = now.now()
			j.decided(0, b.append(note("c", "n", toy{Kind: "note"})))
			require.Equal(t, recorded, j.waitingSince("c"))
		})
	}
}

// Facts that a clock recorded while it was ahead wait from when it is right again: under one owner from when it is set
// back, else from when their lane opens.
func TestIntakeCapsWaitingAfterClockJump(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(j *instance, start func(string) *instance) *instance{
		"under one owner": func(j *instance, _ func(string) *instance) *instance { return j },
		"after a restart": func(j *instance, start func(string) *instance) *instance {
			j.stop()
			return start(j.cfg.StoreDir)
		},
		"with a rebuilt store": func(j *instance, start func(string) *instance) *instance {
			j.stop()
			return start(j.b.TempDir())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			now := newClock()
			start := func(dir string) *instance {
				limit := config(func(c *Config) { c.WaitingLimit = time.Hour })
				return b.start(clock(now.now), limit, storeIn(dir)).ready()
			}
			j := start(t.TempDir())
			j.decided(0, b.append(note("a", "n", toy{Kind: "note"})))
			now.add(tenYears)
			j.decided(0, b.append(note("b", "n", toy{Kind: "note"})))
			now.add(30*time.Minute - tenYears)
			j = again(j, start)
			testkit.Eventually(t, func() bool { return j.waitingSince("b").Equal(now.now()) }, "it waits from now on")

			// The lane may have noticed while the clock was ahead that the first one was due.
			expired := func() (ids []string) {
				for _, d := range b.read().decisions[0] {
					if d.GetOutcome() == quarantined {
						ids = append(ids, d.Envelope.ShipmentID)
					}
				}
				return ids
			}
			now.add(30 * time.Minute)
			testkit.Eventually(t, func() bool { return slices.Equal(expired(), []string{"a"}) }, "the one before is quarantined")
			now.add(30 * time.Minute)
			testkit.Eventually(t, func() bool { return slices.Equal(expired(), []string{"a", "b"}) }, "and this one")
			b.check()
		})
	}
}
