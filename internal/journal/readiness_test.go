package journal

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit"
)

// One damaged lane does not take its instance out of a load balancer.
func TestJournalAcceptsWithDamagedLane(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		whole := setupOn(t, on, 1)
		fillLane(t, whole, t.TempDir())
		b := setupOn(t, on, 2)
		b.transplant(whole, func(topic string, seq uint64) bool { return topic == events.TopicEvents && seq == 1 }, nil)
		j := b.start()
		testkit.Eventually(t, func() bool { return j.Accepting() == nil }, "it takes inputs")
		require.ErrorIs(t, j.LaneReady(0), ErrDamaged)
		require.NoError(t, j.LaneReady(1))
		require.ErrorIs(t, j.LaneReady(2), ErrInvalid)
		require.ErrorIs(t, j.Ready(), ErrDamaged)
	})
}

func TestJournalAccepting(t *testing.T) {
	t.Parallel()
	var lanes [2]*lane
	s := newLaneSet()
	for i := range lanes {
		lanes[i] = &lane{id: int32(i)}
		s.assigned[int32(i)] = lanes[i]
	}
	j := &Journal{cfg: Config{Lanes: 3}, damaged: newDamaged(nil)}
	j.lanes.assigned = s.assigned
	require.ErrorIs(t, j.Accepting(), errNotJoined)
	j.lanes.joined = true

	lanes[0].open.Store(true)
	require.ErrorIs(t, j.Accepting(), ErrLaneMoving, "a lane of an instance that starts is being opened")
	lanes[1].setFailure(errors.New("no broker"))
	require.ErrorContains(t, j.Accepting(), "no broker", "it will be tried again")
	lanes[1].setFailure(ErrDamaged)
	require.NoError(t, j.Accepting(), "waiting for it would not help")
	lanes[1].setFailure(ErrLaneMoving)
	require.NoError(t, j.Accepting(), "a lane of an instance that has started is being taken over")
	require.ErrorIs(t, j.LaneReady(1), ErrLaneMoving)
	require.ErrorIs(t, j.LaneReady(2), ErrNotOwner)
	lanes[0].open.Store(false)
	require.ErrorIs(t, j.Accepting(), ErrLaneMoving, "no lane is open")
	delete(s.assigned, 0)
	lanes[1].setFailure(ErrDamaged)
	require.NoError(t, j.Accepting(), "the only lane of the instance waits for a person")
	clear(s.assigned)
	require.NoError(t, j.Accepting(), "an instance without lanes forwards calls")
}
