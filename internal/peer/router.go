package peer

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
)

// Router dispatches submissions to the owners of their lanes, and returns their results. Many goroutines may use it.
//
//	submissions ─▶ by lane ─▶ owner? ─┬─ here ──▶ journal.SubmitAll ─┬─ answered ─▶ in the order of the call
//	                  ▲               └─ there ─▶ POST to the peer ──┤
//	                  └──────────── after a pause, the same key ─────┴─ moved, in doubt, no answer
//
// Retrying is safe because every command has a key before its first try, and every owner of the lane answers a key that
// was decided with its first answer.
type Router struct {
	journal *journal.Journal
	client  *Client // Nil for an instance that is alone.
	self    string  // The URL of this instance.
	lanes   int
	timeout time.Duration // Of one try at a peer.
	log     *slog.Logger
	metrics *routerMetrics
	// logLimiter bounds the lines about an unreachable owner: every call to its lanes would write one.
	logLimiter rate.Sometimes
}

// NewRouter returns a router. It has nothing to close.
func NewRouter(cfg Config, d Deps) (*Router, error) {
	cfg, d = cfg.WithDefaults(), d.withDefaults()
	m, err := newRouterMetrics(d.Registerer)
	if err != nil {
		return nil, fmt.Errorf("router: %w", err)
	}
	return &Router{
		journal: d.Journal, client: d.Client, self: cfg.URL, lanes: d.Lanes, timeout: cfg.AttemptTimeout,
		log: d.Log, metrics: m, logLimiter: rate.Sometimes{Interval: time.Second},
	}, nil
}

// The pause before a retry: short at first, so that a lane which moves in a few milliseconds costs no more, and longer
// each time, so that a lane without an owner causes no load.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 200 * time.Millisecond
)

// ownerWindow bounds the search for owners before the first request. Lanes whose owner is known by then go out
// together, one request to each owner; the others follow on their own.
const ownerWindow = 20 * time.Millisecond

// Submit decides the submissions of a call and returns their results, in their order. It returns when ctx ends at the
// latest. An error that wraps journal.ErrInDoubt means that the command may be stored; after any other it is not.
func (r *Router) Submit(ctx context.Context, call Call) []Result {
	all := make([]*tracked, len(call.Submissions))
	for i, s := range call.Submissions {
		if s.Key == "" {
			s.Key = r.journal.NewKey()
		}
		all[i] = &tracked{Submission: s, lane: events.Lane(s.ShipmentID, r.lanes)}
	}
	r.dispatch(ctx, &call, r.byOwner(ctx, all), firstPause)
	results := make([]Result, len(all))
	for i, t := range all {
		results[i] = t.outcome(ctx)
	}
	return results
}

// group is what goes to one owner in one request: the submissions of one or more lanes, those of a lane in their order.
type group struct {
	owner       *journal.Owner // Nil if unknown; then the group is of one lane.
	submissions []*tracked
}

// dispatch follows each group in a goroutine of its own, so that none waits for the lanes of another owner.
func (r *Router) dispatch(ctx context.Context, call *Call, groups []group, pause time.Duration) {
	if len(groups) == 0 {
		return
	}
	var wg sync.WaitGroup
	for _, g := range groups[1:] {
		wg.Go(func() { r.follow(ctx, call, g, pause) })
	}
	r.follow(ctx, call, groups[0], pause)
	wg.Wait()
}

// follow tries a group at its owner, and then what is left of it at whichever instance owns it by then.
func (r *Router) follow(ctx context.Context, call *Call, g group, pause time.Duration) {
	for {
		left := r.attempt(ctx, call, g)
		if len(left) == 0 || !wait(ctx, pause) {
			return
		}
		for _, t := range left {
			r.metrics.retries.WithLabelValues(t.reason).Inc()
		}
		pause = min(2*pause, lastPause)
		groups := r.byOwner(ctx, left)
		if len(groups) > 1 {
			r.dispatch(ctx, call, groups, pause)
			return
		}
		g = groups[0]
	}
}

// wait waits for about d; it returns false when ctx has ended.
func wait(ctx context.Context, d time.Duration) bool {
	// The jitter keeps all callers of a lane that moves from coming back at once.
	t := time.NewTimer(d/2 + rand.N(d/2))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// byOwner groups submissions by the owners of their lanes. A lane without a known owner is a group of its own.
func (r *Router) byOwner(ctx context.Context, all []*tracked) []group {
	byLane, order := map[int32][]*tracked{}, []int32{}
	for _, t := range all {
		if byLane[t.lane] == nil {
			order = append(order, t.lane)
		}
		byLane[t.lane] = append(byLane[t.lane], t)
	}
	switch len(order) {
	case 0:
		return nil
	case 1:
		return []group{{submissions: all}} // attempt looks its owner up: that holds up no other lane.
	}
	found := make([]*journal.Owner, len(order))
	window, cancel := context.WithTimeout(ctx, ownerWindow)
	defer cancel()
	var wg sync.WaitGroup
	for i, lane := range order {
		wg.Go(func() {
			if owner, err := r.journal.Owner(window, lane); err == nil {
				found[i] = &owner
			}
		})
	}
	wg.Wait()
	var groups []group
	at := map[journal.Owner]int{}
	for i, lane := range order {
		if found[i] != nil {
			if n, ok := at[*found[i]]; ok {
				groups[n].submissions = append(groups[n].submissions, byLane[lane]...)
				continue
			}
			at[*found[i]] = len(groups)
		}
		groups = append(groups, group{found[i], byLane[lane]})
	}
	return groups
}
