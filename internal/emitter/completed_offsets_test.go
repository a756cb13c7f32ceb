package emitter

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCompletedOffsets(t *testing.T) {
	t.Parallel()

	t.Run("completed offsets above the watermark survive", func(t *testing.T) {
		t.Parallel()
		s, p := newScheduler(100), newPartition(t.Context(), 0, 1000, completedOffsets{floor: 7})
		var all []*delivery
		for i := range 10 {
			all = append(all, pushed(s, p, int64(10+i), "a"))
		}
		for _, i := range []int{0, 1, 3, 4, 7} {
			p.complete(all[i])
		}
		got, err := decodeCompleted(p.watermark(), encodeCompleted(p))
		require.NoError(t, err)
		require.Equal(t, int64(1002), p.watermark())
		require.Equal(t, completedOffsets{floor: 11, top: 19, spans: []span{{1003, 1005}, {1007, 1008}}}, got)
	})

	t.Run("the start of the endpoint survives", func(t *testing.T) {
		t.Parallel()
		start := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC).UnixMilli()
		left := completedOffsets{start: start, floor: 10, top: 90, spans: []span{{103, 110}}}
		p := newPartition(t.Context(), 0, 100, left)
		require.Equal(t, start, p.start)
		text := encodeCompleted(p)
		require.Regexp(t, "^ol2:", text)
		got, err := decodeCompleted(100, text)
		require.NoError(t, err)
		require.Equal(t, left, got)
		left.start = 0
		require.Regexp(t, "^ol1:", encodeCompleted(newPartition(t.Context(), 0, 100, left)))
	})

	t.Run("without pending deliveries only the highest id is encoded", func(t *testing.T) {
		t.Parallel()
		p := newPartition(t.Context(), 0, 5, completedOffsets{floor: 7})
		require.Equal(t, recordNew, p.advance(5, 8))
		p.ignore(8)
		got, err := decodeCompleted(p.watermark(), encodeCompleted(p))
		require.NoError(t, err)
		require.Equal(t, completedOffsets{floor: 8, top: 8}, got)
	})

	t.Run("the highest runs are left out when the text would be too long", func(t *testing.T) {
		t.Parallel()
		s, p := newScheduler(1), newPartition(t.Context(), 0, 0, completedOffsets{})
		var all []*delivery
		for i := range 10_000 {
			all = append(all, pushed(s, p, int64(i+1), "a"))
		}
		require.False(t, completedFull(p), "a single run takes no room")
		for i := 1; i < len(all); i += 2 {
			p.complete(all[i])
		}
		require.True(t, completedFull(p))
		text := encodeCompleted(p)
		require.LessOrEqual(t, len(text), completedMaxText)
		require.Greater(t, len(text), completedMaxText*9/10)
		got, err := decodeCompleted(p.watermark(), text)
		require.NoError(t, err)
		for i, s := range got.spans {
			require.Equal(t, span{int64(2*i + 1), int64(2*i + 2)}, s)
		}
	})

	t.Run("inherited runs are encoded again until they are read", func(t *testing.T) {
		t.Parallel()
		left := completedOffsets{floor: 10, top: 90, spans: []span{{103, 110}, {120, 130}}}
		p := newPartition(t.Context(), 0, 100, left)
		got, err := decodeCompleted(100, encodeCompleted(p))
		require.NoError(t, err)
		require.Equal(t, left, got)
		s := newScheduler(1)
		pushed(s, p, 11, "a")
		p.complete(pushed(s, p, 12, "b"))
		pushed(s, p, 13, "c")
		require.Equal(t, recordDelivered, p.advance(103, 20))
		got, err = decodeCompleted(100, encodeCompleted(p))
		require.NoError(t, err)
		spans := []span{{101, 102}, {103, 104}, {104, 110}, {120, 130}}
		require.Equal(t, completedOffsets{floor: 10, top: 90, spans: spans}, got)
	})

	t.Run("a recreated topic is recognised by its ids", func(t *testing.T) {
		t.Parallel()
		p := newPartition(t.Context(), 0, 100, completedOffsets{floor: 50, top: 60, spans: []span{{101, 103}}})
		require.Equal(t, recordRepeated, p.advance(0, 50), "an old message")
		require.Equal(t, int64(100), p.watermark())
		require.Equal(t, recordNew, p.advance(1, 61), "a new message at an offset read before")
		p.admit(&delivery{outbound: outbound{id: 61, offset: 1}})
		require.Equal(t, int64(1), p.watermark())
		require.Equal(t, recordNew, p.advance(101, 62), "another record than the delivered one")
		p.admit(&delivery{outbound: outbound{id: 62, offset: 101}})
		require.Equal(t, recordBackwards, p.advance(2, 63))
	})

	t.Run("a recreated topic that has grown since is recognised by its ids", func(t *testing.T) {
		t.Parallel()
		p := newPartition(t.Context(), 0, 100, completedOffsets{floor: 50, top: 60, spans: []span{{101, 103}}})
		require.Equal(t, recordNew, p.advance(101, 62), "another record than the delivered one")
	})

	t.Run("in a recreated topic, offsets that were delivered say nothing", func(t *testing.T) {
		t.Parallel()
		p := newPartition(t.Context(), 0, 100, completedOffsets{floor: 50, top: 60, spans: []span{{101, 103}}})
		require.Equal(t, recordNew, p.advance(1, 55), "it was pending")
		require.Equal(t, recordNew, p.advance(101, 58), "it was pending, too")
	})

	t.Run("foreign metadata is rejected", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"member-1", "ol1:", "ol1:!", "ol1:AA", "ol1:AAAA", "ol1:AQEBAA", "ol2:", "ol2:AA", "ol2:AAA", completedPrefix + strings.Repeat("_", 40)} {
			_, err := decodeCompleted(0, text)
			require.ErrorIs(t, err, errMetadata, text)
		}
		got, err := decodeCompleted(0, "")
		require.NoError(t, err)
		require.Equal(t, completedOffsets{}, got)
	})
}

func FuzzDecodeCompleted(f *testing.F) {
	f.Add(int64(0), "")
	f.Add(int64(100), "ol1:ClADBwoK")
	f.Add(int64(100), "ol2:AQpQAwcKCg")
	f.Fuzz(func(t *testing.T, offset int64, text string) {
		if offset < 0 {
			return
		}
		m, err := decodeCompleted(offset, text)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, m.top, m.floor)
		at := offset
		for _, s := range m.spans {
			require.GreaterOrEqual(t, s.from, at)
			require.Greater(t, s.to, s.from)
			at = s.to
		}
	})
}
