package emitter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScheduler(t *testing.T) {
	t.Parallel()

	t.Run("queues take turns, with one message in flight each", func(t *testing.T) {
		t.Parallel()
		s, p := newScheduler(10), newPartition(t.Context(), 0, 0, completedOffsets{})
		a1, a2, b1 := pushed(s, p, 1, "a"), pushed(s, p, 2, "a"), pushed(s, p, 3, "b")
		require.Same(t, a1, s.next())
		require.Same(t, b1, s.next())
		require.Nil(t, s.next())
		s.completed(a1)
		require.Same(t, a2, s.next())
		s.completed(a2)
		s.completed(b1)
		require.Empty(t, p.queues)
		require.Zero(t, s.inFlight)
	})

	t.Run("a waiting queue holds no slot and becomes ready when due", func(t *testing.T) {
		t.Parallel()
		s, p, now := newScheduler(1), newPartition(t.Context(), 0, 0, completedOffsets{}), time.Unix(100, 0)
		a, b := pushed(s, p, 1, "a"), pushed(s, p, 2, "b")
		require.Same(t, a, s.next())
		require.Nil(t, s.next(), "no slot is free")
		s.retry(a, now, now.Add(time.Second))
		require.Same(t, b, s.next())
		s.completed(b)
		s.wake(now.Add(time.Second - 1))
		require.Nil(t, s.next())
		due, waiting := s.nextDue()
		require.True(t, waiting)
		require.Equal(t, now.Add(time.Second), due)
		s.wake(due)
		require.Same(t, a, s.next())
		require.Equal(t, now, p.oldestFailure())
	})

	t.Run("a queue whose head got through is not failing any more", func(t *testing.T) {
		t.Parallel()
		s, p, now := newScheduler(1), newPartition(t.Context(), 0, 0, completedOffsets{}), time.Unix(100, 0)
		a := pushed(s, p, 1, "a")
		pushed(s, p, 2, "a")
		require.Same(t, a, s.next())
		s.retry(a, now, now)
		s.wake(now)
		require.Same(t, a, s.next())
		s.completed(a)
		require.Zero(t, p.oldestFailure(), "the next message has not failed")
	})

	t.Run("a draining partition starts no more requests", func(t *testing.T) {
		t.Parallel()
		s, now := newScheduler(2), time.Unix(100, 0)
		p, q := newPartition(t.Context(), 0, 0, completedOffsets{}), newPartition(t.Context(), 1, 0, completedOffsets{})
		inFlight, waiting := pushed(s, p, 1, "in flight"), pushed(s, p, 2, "waiting")
		require.Same(t, inFlight, s.next())
		require.Same(t, waiting, s.next())
		s.retry(waiting, now, now)
		pushed(s, p, 3, "ready")
		pushed(s, p, 4, "in flight")
		other := pushed(s, q, 1, "other")
		s.drain(p)
		s.drain(p)
		s.wake(now.Add(time.Hour))
		require.Same(t, other, s.next())
		s.completed(other)
		s.completed(inFlight)
		require.Nil(t, s.next())
		require.Zero(t, p.inFlight)
		require.Zero(t, s.ready.length)
	})
}

func pushed(s *scheduler, p *partition, id int64, order string) *delivery {
	d := &delivery{outbound: outbound{id: id, shipmentID: order, offset: p.next}}
	p.advance(d.offset, id)
	p.admit(d)
	s.push(p, d)
	return d
}
