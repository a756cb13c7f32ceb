package journal

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// A command is decided, recorded and answered.
func TestSubmit(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 3)
		j := b.start().ready()

		r := j.mustSubmit(createCmd("a"))
		require.Equal(t, ledgerv1.Outcome_OUTCOME_ACCEPTED, r.Outcome)
		require.EqualValues(t, 1, r.Version)
		require.Equal(t, events.Lane("a", 3), r.Lane)
		r = j.mustSubmit(Command{ShipmentID: "a", Input: toy{Kind: "note", Text: "x", Events: 2}})
		require.EqualValues(t, 3, r.Version)
		no := j.mustSubmit(cmd("b", "note", "x"))
		require.Equal(t, ledgerv1.Outcome_OUTCOME_REJECTED, no.Outcome)
		require.Equal(t, shipment.CodeInvalidShipments, no.Reason)

		s, err := j.State(t.Context(), "a")
		require.NoError(t, err)
		require.EqualValues(t, 3, s.GetVersion())
		s, err = j.State(t.Context(), "b")
		require.NoError(t, err)
		require.Nil(t, s)

		k := b.check()
		lane := k.events[r.Lane]
		require.Len(t, lane, 3)
		require.Equal(t, r.Offset, lane[2].offset)
		require.Equal(t, "corr-a", lane[0].CorrelationID)
	})
}

// Any client reads the records: the codec is the one that all of them have built in.
func TestLaneCompressesWithGzip(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start().ready()
	var cmds []Command
	for i := range 50 {
		cmds = append(cmds, createCmd(fmt.Sprint("s", i)))
	}
	for _, r := range j.SubmitAll(t.Context(), cmds) {
		require.NoError(t, r.Err)
	}
	for _, topic := range []string{events.TopicEvents, events.TopicDecisions} {
		n := 0
		b.records(topic, 0, func(r *kgo.Record) {
			require.EqualValues(t, 1, r.Attrs.CompressionType(), "gzip")
			n++
		})
		require.Equal(t, len(cmds), n)
	}
}

// Notifications are decided in their order.
func TestInboxDecidedInOrder(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 2)
		j := b.start().ready()
		lane := events.Lane("a", 2)
		var last int64
		last = b.append(note("a", "k0", toy{Kind: "create"}))
		for i := range 20 {
			last = b.append(note("a", fmt.Sprint("k", i+1), toy{Kind: "note", Text: fmt.Sprint(i)}))
		}
		j.decided(lane, last)
		k := b.check()
		require.Len(t, k.events[lane], 21)
		for i, e := range k.events[lane] {
			require.EqualValues(t, i, e.InboxOffset)
		}
	})
}

// Commands of many lanes are answered in the order of the request.
func TestSubmitAllOrder(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 4)
		j := b.start().ready()
		var cmds []Command
		for i := range 40 {
			cmds = append(cmds, createCmd(fmt.Sprint("s", i%20)))
		}
		results := j.SubmitAll(t.Context(), cmds)
		for i, r := range results {
			require.NoError(t, r.Err)
			require.Equal(t, cmds[i].ShipmentID, r.Receipt.ShipmentID)
			want := ledgerv1.Outcome_OUTCOME_ACCEPTED
			if i >= 20 {
				want = ledgerv1.Outcome_OUTCOME_DUPLICATE
			}
			require.Equal(t, want, r.Receipt.Outcome)
		}
		b.check()
	})
}

// A restart resumes where the journal stopped.
func TestJournalRestart(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		j := b.start(storeIn(dir)).ready()
		j.mustSubmit(createCmd("a"))
		j.decided(0, b.append(note("a", "n1", toy{Kind: "note", Text: "1"})))
		j.stop()
		last := b.append(note("a", "n2", toy{Kind: "note", Text: "2"}), note("a", "n1", toy{Kind: "note", Text: "1"}))
		j = b.start(storeIn(dir)).ready()
		j.decided(0, last)
		r := j.mustSubmit(cmd("a", "note", "3"))
		require.EqualValues(t, 4, r.Version)
		k := b.check()
		require.Equal(t, ReasonRepeated, shipment.Code(k.decisions[0][3].GetReason()))
		require.Equal(t, k.decisions[0][1].GetInputType(), k.decisions[0][3].GetInputType(), "the decision about a repeat has its type")
	})
}

// A command for a lane of another instance is refused.
func TestSubmitToOtherInstancesLane(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		j := b.start()
		j.ready()
		other := b.start()
		testkit.Eventually(t, func() bool { return other.Ready() == nil }, "the second joined")
		owner, idle := j, other
		if j.lanes.serving(0) == nil {
			owner, idle = other, j
		}
		owner.mustSubmit(createCmd("a"))
		_, err := idle.Submit(t.Context(), createCmd("a"))
		require.ErrorIs(t, err, ErrNotOwner)
		_, err = idle.State(t.Context(), "a")
		require.ErrorIs(t, err, ErrNotOwner)
		owner.stop()
		testkit.Eventually(t, func() bool {
			r, err := idle.Submit(context.WithoutCancel(t.Context()), cmd("a", "note", "x"))
			return err == nil && r.Version == 2
		}, "the other one took over")
		b.check()
	})
}
