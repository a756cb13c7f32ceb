package journal

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/membership"
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
