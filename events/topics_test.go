package events_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
)

func TestLaneMatchesKafkaPartitioner(t *testing.T) {
	t.Parallel()
	// The hashes that Kafka's own tests list for its murmur2.
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		positive := hash & math.MaxInt32
		require.Equal(t, positive%math.MaxInt32, events.KeyPartition(key, math.MaxInt32), key)
		require.Equal(t, positive%12, events.Lane(key, 12), key)
	}
	require.EqualValues(t, 0, events.Lane("", 1))
}
