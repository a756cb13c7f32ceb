package journal

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/membership"
	"github.com/orderledger/orderledger/internal/kafka"
)

// Lanes that are read side by side share the speed, so an instance that reads many is not warm for any too early.
func TestReportSharesSpeed(t *testing.T) {
	t.Parallel()
	j := &Journal{cfg: Config{Lanes: 4, Standbys: 1}, damaged: newDamaged(nil)}
	j.warmth.ends = map[int32][2]int64{}
	for lane := range int32(4) {
		j.warmth.read(lane, events.TopicEvents, 0)
		j.warmth.ends[lane] = [2]int64{15_000, 0}
	}
	j.warmth.measured(10, time.Microsecond) // Too few to measure by.
	j.warmth.measured(20_000, 2*time.Second)
	j.lanes.setPlan(membership.Plan{Follow: []int32{0}})
	alone := j.report()
	require.True(t, alone.Warm(0), "15,000 records at 10,000 a second")
	j.lanes.setPlan(membership.Plan{Follow: []int32{0, 1, 2}})
	shared := j.report()
	require.False(t, shared.Warm(0), "a third of the speed")
	for lane := range int32(3) {
		j.warmth.read(lane, events.TopicEvents, 10_000)
	}
	near := j.report()
	require.True(t, near.Warm(0) && near.Warm(1) && near.Warm(2))
}

// An instance says that it can't open a lane if the lane stays closed until somebody acts, and also after the group has
// taken a damaged lane away. A standby's finding is no such verdict.
func TestReportNamesLanesItCannotOpen(t *testing.T) {
	t.Parallel()
	m, err := newMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	j := &Journal{cfg: Config{Lanes: 3}, lanes: newLaneSet(), damaged: newDamaged(m.damaged)}
	states := func() []int64 { return j.report().Lanes }
	l := &lane{id: 0}
	j.lanes.assigned[0] = l
	for _, err := range []error{ErrDamaged, ErrOutOfRange, ErrLanes, kafka.ErrLayout} {
		l.setFailure(err)
		require.Equal(t, []int64{membership.Cannot, membership.Unknown, membership.Unknown}, states(), "%v", err)
	}
	l.setFailure(ErrLaneMoving)
	require.Equal(t, membership.Unknown, states()[0], "it is being taken over")

	j.damaged.report(1, ErrDamaged, true)
	j.damaged.report(2, ErrDamaged, false)
	require.Equal(t, []int64{membership.Unknown, membership.Cannot, membership.Unknown}, states())
	j.damaged.forget(1)
	require.Equal(t, membership.Unknown, states()[1], "it is to be read again")
}
