package journal

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/testkit"
)

// The first event of a decision says which input was decided, and the others only which of them they are. check
// compares all of them with the decisions.
func TestBatchFirstEventSaysDecision(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		j := b.start().ready()
		j.decided(0, b.append(
			note("b", "early", toy{Kind: "note", Text: "waits"}), note("a", "c", toy{Kind: "create"}),
			note("a", "n", toy{Kind: "note", Events: 3}), note("b", "c", toy{Kind: "create"})))
		j.mustSubmit(keyed(cmd("a", "note", "x"), "k"))
		j.stop()

		k := b.check()
		type part struct {
			id, key, input string
			n, of          int
			inbox          int64
			decision       uint64
			row            bool
		}
		var got []part
		for _, e := range k.events[0] {
			got = append(got, part{
				e.ID, e.InputKey, e.InputType, e.DecisionEvent, e.DecisionEvents, e.InboxOffset, e.DecisionSeq, e.DecisionRow,
			})
		}
		const kind = "command.dispatch" // Of every toy.
		require.Equal(t, []part{
			{"a/1", "c", kind, 1, 1, 1, 2, false},
			{"a/2", "n", kind, 1, 3, 2, 3, false},
			{"a/3", "", "", 2, 3, -1, 0, false},
			{"a/4", "", "", 3, 3, -1, 0, false},
			{"b/1", "c", kind, 1, 1, 3, 4, false},
			{"b/2", "early", kind, 1, 1, 0, 5, true},
			{"a/5", "k", kind, 1, 1, -1, 6, false},
		}, got)
	})
}
