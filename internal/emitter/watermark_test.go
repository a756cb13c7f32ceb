package emitter

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMarks(t *testing.T) {
	t.Parallel()

	t.Run("what is done above the watermark comes back, and nothing else", func(t *testing.T) {
		t.Parallel()
		s, p := newScheduler(100), newPartition(t.Context(), 0, 1000, marks{floor: 7})
		var all []*delivery
		for i := range 10 {
			all = append(all, pushed(s, p, int64(10+i), "a"))
		}
		for _, i := range []int{0, 1, 3, 4, 7} {
			p.finish(all[i])
		}
		got, err := decodeMarks(p.watermark(), encodeMarks(p))
		require.NoError(t, err)
		require.Equal(t, int64(1002), p.watermark())
		require.Equal(t, marks{floor: 11, top: 19, delivered: []span{{1003, 1005}, {1007, 1008}}}, got)
	})

	t.Run("without anything pending they are the highest id", func(t *testing.T) {
		t.Parallel()
		p := newPartition(t.Context(), 0, 5, marks{floor: 7})
		require.Equal(t, fresh, p.see(5, 8))
		p.pass(8)
		got, err := decodeMarks(p.watermark(), encodeMarks(p))
		require.NoError(t, err)
		require.Equal(t, marks{floor: 8, top: 8}, got)
	})

	t.Run("more holes than fit are left out from above, within the limit of the broker", func(t *testing.T) {
		t.Parallel()
		s, p := newScheduler(1), newPartition(t.Context(), 0, 0, marks{})
		var all []*delivery
		for i := range 10_000 {
			all = append(all, pushed(s, p, int64(i+1), "a"))
		}
		require.False(t, marksFull(p), "one long run takes no room")
		for i := 1; i < len(all); i += 2 {
			p.finish(all[i])
		}
		require.True(t, marksFull(p))
		text := encodeMarks(p)
		require.LessOrEqual(t, len(text), marksMaxText)
		require.Greater(t, len(text), marksMaxText*9/10)
		got, err := decodeMarks(p.watermark(), text)
		require.NoError(t, err)
		for i, s := range got.delivered {
			require.Equal(t, span{int64(2*i + 1), int64(2*i + 2)}, s)
		}
	})

	t.Run("what a predecessor left is passed on before it is read again", func(t *testing.T) {
		t.Parallel()
		left := marks{floor: 10, top: 90, delivered: []span{{103, 110}, {120, 130}}}
		p := newPartition(t.Context(), 0, 100, left)
		got, err := decodeMarks(100, encodeMarks(p))
		require.NoError(t, err)
		require.Equal(t, left, got)
		s := newScheduler(1)
		pushed(s, p, 11, "a")
		p.finish(pushed(s, p, 12, "b"))
		pushed(s, p, 13, "c")
		require.Equal(t, delivered, p.see(103, 20))
		got, err = decodeMarks(100, encodeMarks(p))
		require.NoError(t, err)
		require.Equal(t, marks{floor: 10, top: 90, delivered: []span{{101, 102}, {103, 104}, {104, 110}, {120, 130}}}, got)
	})

	t.Run("another log under the same offsets is told by its ids", func(t *testing.T) {
		t.Parallel()
		p := newPartition(t.Context(), 0, 100, marks{floor: 50, top: 60, delivered: []span{{101, 103}}})
		require.Equal(t, repeated, p.see(0, 50), "an old message")
		require.Equal(t, int64(100), p.watermark())
		require.Equal(t, fresh, p.see(1, 61), "a new message at an offset seen before")
		p.admit(&delivery{outbound: outbound{id: 61, offset: 1}})
		require.Equal(t, int64(1), p.watermark())
		require.Equal(t, fresh, p.see(101, 62), "not the record that was delivered")
		p.admit(&delivery{outbound: outbound{id: 62, offset: 101}})
		require.Equal(t, backwards, p.see(2, 63))
	})

	t.Run("text of others is refused", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"member-1", "ol1:", "ol1:!", "ol1:AA", "ol1:AAAA", "ol1:AQEBAA", marksPrefix + strings.Repeat("_", 40)} {
			_, err := decodeMarks(0, text)
			require.ErrorIs(t, err, errMarks, text)
		}
		got, err := decodeMarks(0, "")
		require.NoError(t, err)
		require.Equal(t, marks{}, got)
	})
}

func FuzzDecodeMarks(f *testing.F) {
	f.Add(int64(0), "")
	f.Add(int64(100), "ol1:ClADBwoK")
	f.Fuzz(func(t *testing.T, offset int64, text string) {
		if offset < 0 {
			return
		}
		m, err := decodeMarks(offset, text)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, m.top, m.floor)
		at := offset
		for _, s := range m.delivered {
			require.GreaterOrEqual(t, s.from, at)
			require.Greater(t, s.to, s.from)
			at = s.to
		}
	})
}
