package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// fleet is a ledger with instances that reach each other: by a call here, by HTTP in production.
type fleet struct {
	*bundle
	mu    sync.Mutex
	peers map[string]*instance
	asked atomic.Int64 // Requests for releases.
}

func newFleet(t testing.TB, lanes int) *fleet {
	t.Helper()
	return &fleet{bundle: setup(t, lanes), peers: map[string]*instance{}}
}

// join starts an instance under a name.
func (s *fleet) join(name string, opts ...option) *instance {
	s.Helper()
	i := s.start(append([]option{func(c *Config, d *Deps, _ *Journal) {
		c.Advertise = "http://" + name
		d.AskRelease = s.askRelease
	}}, opts...)...)
	s.mu.Lock()
	s.peers["http://"+name] = i
	s.mu.Unlock()
	return i
}

func (s *fleet) peer(url string) *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peers[url]
}

func (s *fleet) askRelease(ctx context.Context, url string, lane int32) error {
	s.asked.Add(1)
	i := s.peer(url)
	if i == nil || i.ended {
		return net.ErrClosed
	}
	return i.Release(ctx, lane)
}

// send submits a command to the owner of its lane, as an instance sees it, until it is decided. Ingest does the same.
func (s *fleet) send(ctx context.Context, from *instance, c Command) (Receipt, error) {
	lane := events.Lane(c.ShipmentID, s.lanes)
	if c.Key == "" {
		c.Key = from.NewKey()
	}
	for {
		owner, err := from.Owner(ctx, lane)
		if err != nil {
			return Receipt{}, err
		}
		to := from
		if !owner.Self {
			to = s.peer(owner.URL)
		}
		try, cancel := context.WithTimeout(ctx, time.Second)
		r, err := to.Submit(try, c)
		cancel()
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrInvalid) {
			return r, err
		}
		from.OwnerWrong(lane, owner)
	}
}

// load sends commands to shipments without pause from several instances until it is stopped, and counts the answers.
type load struct {
	s     *fleet
	stop  func()
	wg    sync.WaitGroup
	count atomic.Int64
	gap   atomic.Int64 // The longest time without an answer, in nanoseconds.
}

func (s *fleet) load(shipments []string, from ...*instance) *load {
	ctx, cancel := context.WithCancel(s.Context())
	l := &load{s: s, stop: cancel}
	for n, id := range shipments {
		l.wg.Go(func() {
			last := time.Now()
			for k := 0; ctx.Err() == nil; k++ {
				limited, done := context.WithTimeout(context.WithoutCancel(ctx), testkit.Limit)
				_, err := s.send(limited, from[n%len(from)], cmd(id, "note", fmt.Sprint(k)))
				done()
				if err != nil {
					s.Errorf("command %d of %s: %v", k, id, err)
					return
				}
				l.count.Add(1)
				now := time.Now()
				if gap := now.Sub(last); gap > time.Duration(l.gap.Load()) {
					l.gap.Store(int64(gap))
				}
				last = now
			}
		})
	}
	return l
}

// end stops the load and requires every answered command to be in the ledger once.
func (l *load) end(created int) {
	l.s.Helper()
	l.stop()
	l.wg.Wait()
	accepted := 0
	for _, lane := range l.s.check().decisions {
		for _, d := range lane {
			if d.GetOutcome() == ledgerv1.Outcome_OUTCOME_ACCEPTED {
				accepted++
			}
		}
	}
	require.EqualValues(l.s, l.count.Load()+int64(created), accepted)
	require.Positive(l.s, l.count.Load())
}

// create makes shipments, one in each lane at least.
func (s *fleet) create(n int, from *instance) []string {
	s.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("shipment-%d", i)
		ctx, cancel := context.WithTimeout(s.Context(), testkit.Limit)
		_, err := s.send(ctx, from, createCmd(ids[i]))
		cancel()
		require.NoError(s, err)
	}
	return ids
}

// assignedLane returns a lane that is assigned to an instance. One that the instance is handing over is still served
// there, but is another's.
func assignedLane(i *instance) int32 {
	assigned, _ := i.lanes.current()
	return slices.Min(slices.Collect(maps.Keys(assigned)))
}

// serves returns how many lanes an instance has open.
func serves(i *instance) int {
	n := 0
	assigned, _ := i.lanes.current()
	for _, l := range assigned {
		if l.open.Load() {
			n++
		}
	}
	return n
}
