package journal

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

func TestACommandInDoubtIsNotDecidedTwiceWhenTheNextTakeoverFailsHalfWay(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	var net netfault.LossyDialer
	j := b.start(dialer(&net, kgo.RequestRetries(1))).ready()
	j.mustSubmit(createCmd("a"))
	// The commit is stored and its reply lost. The takeover reads the decisions, which the store then knows, and fails at
	// the events; the next one reads neither again. Without a key of its own nothing else tells that the command is
	// stored.
	net.DropReplies(kmsg.EndTxn, -1)
	met := b.cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Fetch}, Topic: events.TopicEvents, Err: kerr.UnknownServerError,
		When: func(kmsg.Request) bool {
			net.DropReplies(kmsg.EndTxn, 0)
			return counted(j.metrics.batches.WithLabelValues("unknown")) > 0
		},
	})
	r := j.mustSubmit(cmd("a", "note", "once"))
	require.Positive(t, met.Hits())
	require.EqualValues(t, 2, r.Version)
	k := b.check()
	require.Len(t, k.events[0], 2)
	require.Equal(t, k.events[0][1].offset, r.Offset)
}

func TestMoreMayWaitThanABatchHolds(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		var records []InboxRecord
		for i := range 20 {
			records = append(records, note("a", fmt.Sprint(i), toy{Kind: "note", Text: fmt.Sprint(i)}))
		}
		dir := t.TempDir()
		j := b.start(storeIn(dir)).ready()
		j.decided(0, b.append(records...))
		j.stop()
		last := b.append(note("a", "create", toy{Kind: "create"}), note("a", "after", toy{Kind: "note", Text: "after"}))
		j = b.start(storeIn(dir), config(func(c *Config) { c.MaxBatch = 6 })).ready()
		j.decided(0, last)
		k := b.check()
		require.Len(t, k.events[0], 22)
		require.Zero(t, j.lanes.serving(0).store.Meta().Waiting)
		sizes := map[uint64]int{}
		for i, d := range k.decisions[0][20:] {
			sizes[d.GetEventsLaneseq()]++
			if i > 0 {
				require.EqualValues(t, (i+20)%21, d.GetInboxOffset()-int64(i/21), "in order, and nothing before it: %d", i)
			}
		}
		for _, n := range sizes {
			require.LessOrEqual(t, n, 7, "the creation and as many as a batch holds")
		}
	})
}

func TestAnEchoMayBeADuplicateAndStillFillIn(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		j := b.start(storeIn(dir)).ready()
		j.decided(0, b.append(note("a", "c", toy{Kind: "create"}), note("a", "e", toy{Kind: "echo"}), note("a", "e", toy{Kind: "echo"})))
		r := j.mustSubmit(keyed(cmd("a", "echo", "x"), "k"))
		require.Equal(t, duplicate, r.Outcome)
		require.EqualValues(t, 3, r.Version)
		k := b.check()
		require.Len(t, k.events[0], 3)
		require.Equal(t, k.events[0][2].offset, r.Offset)
		require.Equal(t, duplicate, k.decisions[0][1].GetOutcome())
		require.EqualValues(t, 2, k.decisions[0][1].GetFirstVersion())
		require.Empty(t, k.decisions[0][1].GetReason())
		require.Equal(t, duplicate, k.decisions[0][2].GetOutcome())
		require.Zero(t, k.decisions[0][2].GetLastVersion(), "the same notification again")
		require.Equal(t, ReasonRepeated, shipment.Code(k.decisions[0][2].GetReason()))
		r.Repeated = true
		for _, store := range []string{dir, t.TempDir()} {
			j.stop()
			j = b.start(storeIn(store)).ready()
			require.Equal(t, r, j.mustSubmit(keyed(cmd("a", "echo", "x"), "k")))
		}
	})
}

func TestCommandsDoNotMakeTheInboxPileUpInMemory(t *testing.T) {
	t.Parallel()
	l := &lane{
		j:      &Journal{cfg: Config{MaxBatch: 4}},
		writer: &writer{inbox: &inboxReader{fetched: make(chan fetched, 1)}},
	}
	l.intake = newIntake(l)
	l.intake.carry = make([]*input, 4)
	l.writer.inbox.fetched <- fetched{}
	l.intake.calls <- []*call{{}, {}}
	inputs, err := l.intake.await(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, inputs, 4)
	require.Len(t, l.intake.carry, 2)
	require.Len(t, l.writer.inbox.fetched, 1, "a whole batch is here already")
	_, err = l.intake.await(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, l.writer.inbox.fetched)
}
