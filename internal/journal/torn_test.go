package journal

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// transplant copies the only lane of another ledger, without some records and with some altered, as the death of a
// broker leaves it. Chains do not contain offsets, so a copy is as good as the original.
func (b *bundle) transplant(from *bundle, leaveOut func(topic string, seq uint64) bool, alter func(*kgo.Record)) {
	b.Helper()
	client := testkit.Client(b, b.brokers, kafka.ManualPartitions())
	for _, topic := range []string{events.TopicEvents, events.TopicDecisions} {
		from.records(topic, 0, func(r *kgo.Record) {
			env, err := events.DecodeEnvelope(kafka.EventRecord(r))
			require.NoError(b, err)
			if leaveOut(topic, env.LaneSeq) {
				return
			}
			c := &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
			if alter != nil {
				alter(c)
			}
			require.NoError(b, client.ProduceSync(b.Context(), c).FirstErr())
		})
	}
	from.records(events.TopicInbox, 0, func(r *kgo.Record) {
		c := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
		require.NoError(b, client.ProduceSync(b.Context(), c).FirstErr())
	})
}

func embedded() option { return config(func(c *Config) { c.Embedded = true }) }

// tear makes a ledger whose last batch holds, in the order of the inbox: a note (1 event), a stale one (none), a
// creation for which another notification waits (2 events), one that starts to wait, and a duplicate. It returns how
// many events and decisions were there before that batch.
func tear(t *testing.T, on testkit.KafkaBackend) (b *bundle, eventsBefore, decisionsBefore uint64) {
	t.Helper()
	b = setupOn(t, on, 1)
	dir := t.TempDir()
	j := b.start(storeIn(dir)).ready()
	j.decided(0, b.append(note("a", "c", toy{Kind: "create"}), note("b", "w", toy{Kind: "note", Text: "waited"})))
	j.mustSubmit(keyed(cmd("a", "note", "command"), "k1"))
	j.stop()
	k := b.check()
	eventsBefore, decisionsBefore = uint64(len(k.events[0])), uint64(len(k.decisions[0]))
	last := b.append(note("a", "n1", toy{Kind: "note", Text: "n1"}), note("a", "n2", toy{Kind: "stale"}), note("b", "c", toy{Kind: "create"}),
		note("x", "w", toy{Kind: "note"}), note("a", "n1", toy{Kind: "note", Text: "n1"}), note("b", "n3", toy{Kind: "note", Text: "n3"}))
	j = b.start(storeIn(dir)).ready()
	j.decided(0, last)
	j.stop()
	k = b.check()
	seqs := map[uint64]bool{}
	for _, d := range k.decisions[0][decisionsBefore:] {
		seqs[d.GetEventsLaneseq()] = true
	}
	require.Len(t, seqs, 1, "it was one batch")
	return b, eventsBefore, decisionsBefore
}

// ends checks that a repaired ledger has the same outcome for every input as the whole one.
func ends(t *testing.T, whole, repaired *bundle) {
	t.Helper()
	final := func(k *book) map[int64]ledgerv1.Outcome {
		m := map[int64]ledgerv1.Outcome{}
		for _, d := range k.decisions[0] {
			if d.Decision.InboxOffset != nil && !d.void {
				m[d.GetInboxOffset()] = d.GetOutcome()
			}
		}
		return m
	}
	a, b := whole.check(), repaired.check()
	require.Equal(t, final(a), final(b))
	require.Len(t, b.events[0], len(a.events[0]))
}

// Events whose decisions were lost stand, and the decisions are restored.
func TestTakeoverRestoresDecisions(t *testing.T) {
	t.Parallel()
	whole, _, decisions := tear(t, testkit.Kfake)
	b := setup(t, 1)
	b.transplant(whole, func(topic string, seq uint64) bool {
		return topic == events.TopicDecisions && seq > decisions
	}, nil)
	dir := t.TempDir()
	j := b.start(embedded(), storeIn(dir)).ready()
	j.decided(0, 7)
	ends(t, whole, b)
	require.True(t, j.mustSubmit(keyed(cmd("a", "note", "command"), "k1")).Repeated)
	for _, s := range []string{dir, t.TempDir()} {
		j.stop()
		j = b.start(embedded(), storeIn(s)).ready()
		j.decided(0, 7)
		m := j.lanes.serving(0).store.Meta()
		require.EqualValues(t, 1, m.Waiting)
		require.EqualValues(t, 8, m.Inbox, "the restored decision of the last record counts")
		ends(t, whole, b)
	}
}

// Decisions whose events were lost are void with their whole batch.
func TestTakeoverVoidsTornBatch(t *testing.T) {
	t.Parallel()
	whole, lost, _ := tear(t, testkit.Kfake)
	b := setup(t, 1)
	b.transplant(whole, func(topic string, seq uint64) bool { return topic == events.TopicEvents && seq > lost }, nil)
	dir := t.TempDir()
	j := b.start(embedded(), storeIn(dir)).ready()
	j.decided(0, 7)
	ends(t, whole, b)
	// An instance without Config.Embedded honours the record too.
	for _, opts := range [][]option{
		{embedded(), storeIn(dir)}, {storeIn(t.TempDir())}, {embedded(), storeIn(t.TempDir())},
	} {
		j.stop()
		j = b.start(opts...).ready()
		j.decided(0, 7)
		require.EqualValues(t, 1, j.lanes.serving(0).store.Meta().Waiting)
		j.mustSubmit(cmd("a", "note", "more"))
		b.check()
	}
}

// A torn lane of a real cluster stays closed.
func TestTakeoverOfTornClusterLane(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		whole, evs, decisions := tear(t, on)
		for name, leaveOut := range map[string]func(string, uint64) bool{
			"no decisions": func(topic string, seq uint64) bool { return topic == events.TopicDecisions && seq > decisions },
			"no events":    func(topic string, seq uint64) bool { return topic == events.TopicEvents && seq > evs },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := setupOn(t, on, 1)
				b.transplant(whole, leaveOut, nil)
				j := b.start()
				testkit.Eventually(t, func() bool { return j.Ready() != nil && j.lanes.serving(0) != nil && isDamage(j.Ready()) }, "it stays closed")
			})
		}
	})
}

func isDamage(err error) bool { return errors.Is(err, ErrDamaged) }
