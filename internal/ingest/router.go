package ingest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
)

// router brings commands to the owners of their lanes, wherever those are, and brings the answers back.
//
//	commands ─▶ by lane ─▶ owner? ─┬─ here ──▶ journal.SubmitAll ─┬─ answered ─▶ in the order of the commands
//	               ▲               └─ there ─▶ POST to the peer ──┤
//	               └──────────── a little later, the same key ────┴─ moved, in doubt, no answer
//
// A lane that moves costs time and not answers: what is not answered is tried again inside the call's deadline. That is
// safe because each command has a key before it is first tried, and whoever owns the lane answers a key that was decided
// with its first answer.
type router struct {
	journal *journal.Journal
	peers   *Peers // Nil for an instance that is alone.
	self    string // The URL of this instance.
	lanes   int
	patient time.Duration // How long one try at a peer may take.
	log     *slog.Logger
	metrics *metrics
	seldom  rate.Sometimes // Bounds what is logged of an owner that is away: each call of its lanes finds out by itself.
}

// source is what the commands of a call were read from.
type source struct {
	action, pathID string
	body           []byte
}

// The pauses between tries: short enough that a lane which moves in a few milliseconds costs no more, and ever longer, so
// that a lane without an owner is no load.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 200 * time.Millisecond
)

// ownerWindow is how long lanes whose owners are known wait for those whose owners are not, to be sent together.
const ownerWindow = 20 * time.Millisecond

// submit returns what became of each errand, in their order. It ends with ctx at the latest. Errors: as those of
// journal.Submit, and errNoWay. What may be stored is journal.ErrInDoubt.
func (r *router) submit(ctx context.Context, src source, errands []*errand) []journal.Result {
	for _, e := range errands {
		e.lane = events.Lane(e.command.ShipmentID, r.lanes)
		if e.command.Key == "" {
			e.command.Key = r.journal.NewKey()
		}
	}
	r.pursue(ctx, src, r.byOwner(ctx, errands), firstPause)
	results := make([]journal.Result, len(errands))
	for i, e := range errands {
		results[i] = e.outcome(ctx)
	}
	return results
}

// group is what goes to one owner at once: the errands of one or more lanes, each lane's in their order.
type group struct {
	owner   *journal.Owner // Nil where it has to be waited for; then it is of one lane.
	errands []*errand
}

// pursue follows each group by itself, so that none waits for the lanes of another owner.
func (r *router) pursue(ctx context.Context, src source, groups []group, pause time.Duration) {
	if len(groups) == 0 {
		return
	}
	var wg sync.WaitGroup
	for _, g := range groups[1:] {
		wg.Go(func() { r.follow(ctx, src, g, pause) })
	}
	r.follow(ctx, src, groups[0], pause)
	wg.Wait()
}

// follow tries a group at its owner, and what is left of it at whoever owns it then.
func (r *router) follow(ctx context.Context, src source, g group, pause time.Duration) {
	for {
		left := r.attempt(ctx, src, g)
		if len(left) == 0 || !rest(ctx, pause) {
			return
		}
		for _, e := range left {
			r.metrics.retries.WithLabelValues(e.reason).Inc()
		}
		pause = min(2*pause, lastPause)
		groups := r.byOwner(ctx, left)
		if len(groups) > 1 {
			r.pursue(ctx, src, groups, pause)
			return
		}
		g = groups[0]
	}
}

// rest waits for about d; it returns false when ctx has ended.
func rest(ctx context.Context, d time.Duration) bool {
	// Not all callers of a lane that moves come back at once.
	t := time.NewTimer(d/2 + rand.N(d/2))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// byOwner divides errands by the owners of their lanes. Lanes without one are groups of their own.
func (r *router) byOwner(ctx context.Context, errands []*errand) []group {
	byLane, order := map[int32][]*errand{}, []int32{}
	for _, e := range errands {
		if byLane[e.lane] == nil {
			order = append(order, e.lane)
		}
		byLane[e.lane] = append(byLane[e.lane], e)
	}
	switch len(order) {
	case 0:
		return nil
	case 1:
		return []group{{errands: errands}} // Its owner may be waited for: nothing else is held up.
	}
	owners := make([]*journal.Owner, len(order))
	window, cancel := context.WithTimeout(ctx, ownerWindow)
	defer cancel()
	var wg sync.WaitGroup
	for i, lane := range order {
		wg.Go(func() {
			if owner, err := r.journal.Owner(window, lane); err == nil {
				owners[i] = &owner
			}
		})
	}
	wg.Wait()
	var groups []group
	at := map[journal.Owner]int{}
	for i, lane := range order {
		if owners[i] != nil {
			if n, ok := at[*owners[i]]; ok {
				groups[n].errands = append(groups[n].errands, byLane[lane]...)
				continue
			}
			at[*owners[i]] = len(groups)
		}
		groups = append(groups, group{owners[i], byLane[lane]})
	}
	return groups
}

// attempt tries a group once and returns what is to be tried again.
func (r *router) attempt(ctx context.Context, src source, g group) []*errand {
	if g.owner == nil {
		owner, err := r.journal.Owner(ctx, g.errands[0].lane)
		if err != nil {
			for _, e := range g.errands {
				e.put(reasonNotOwner, fmt.Errorf("%w: its owner is not known: %w", journal.ErrNotOwner, err))
			}
			return g.errands
		}
		g.owner = &owner
	}
	switch {
	case g.owner.Self || g.owner.URL != "" && g.owner.URL == r.self:
		r.here(ctx, g)
	case r.peers == nil || g.owner.URL == "":
		now := time.Now()
		for _, e := range g.errands {
			// It may be an instance of an earlier configuration that is about to end. That a caller waits out the deadline
			// for one that stays would help nobody.
			e.strand(now, r.patient)
		}
		r.wrong(g, g.errands)
	default:
		r.there(ctx, src, g)
	}
	var left []*errand
	for _, e := range g.errands {
		if !e.done {
			left = append(left, e)
		}
	}
	return left
}

// here decides a group in this instance. It may take the whole deadline: a lane that is here is here until it is told
// otherwise, and then it answers.
func (r *router) here(ctx context.Context, g group) {
	commands := make([]journal.Command, len(g.errands))
	for i, e := range g.errands {
		commands[i] = e.command
	}
	r.settle(ctx, g, r.journal.SubmitAll(ctx, commands))
}

// there hands a group to another instance.
func (r *router) there(ctx context.Context, src source, g group) {
	first := g.errands[0].command // Who asks is the same for all commands of a call.
	f := &forward{
		Action: src.action, PathID: src.pathID, body: src.body,
		SellerID: first.SellerID, AuthType: first.AuthType, AuthID: first.AuthID,
		CorrelationID: first.CorrelationID, CausationID: first.CausationID, TraceParent: first.TraceParent,
	}
	for _, e := range g.errands {
		f.Commands = append(f.Commands, forwardedCommand{
			Index: e.index, ShipmentID: e.command.ShipmentID, ServiceID: e.serviceID,
			Key: e.command.Key, Hash: hex.EncodeToString(e.command.Hash[:]),
		})
	}
	// An instance that is frozen takes connections and answers none: the lane has another owner before it wakes.
	try, cancel := context.WithTimeout(ctx, r.patient)
	defer cancel()
	began := time.Now()
	results, err := r.peers.forward(try, g.owner.URL, f)
	result := resultAnswered
	if lost := (*peerError)(nil); errors.As(err, &lost) {
		result = lost.reason
		r.seldom.Do(func() {
			r.log.LogAttrs(ctx, slog.LevelWarn, "owner did not answer", slog.String("owner", g.owner.URL),
				slog.Int("lane", int(g.errands[0].lane)), slog.Int("items", len(g.errands)), slog.Any("err", err))
		})
		for _, e := range g.errands {
			if lost.sent {
				e.put(lost.reason, fmt.Errorf("%w: %w", journal.ErrInDoubt, err))
			} else {
				e.put(lost.reason, fmt.Errorf("%w: %w", errNoWay, err))
			}
			r.metrics.forwarded.WithLabelValues(lost.reason).Inc()
		}
		r.wrong(g, g.errands)
	} else {
		for _, res := range results {
			name := resultAnswered
			if res.Err != nil {
				name = errorName(res.Err)
			}
			r.metrics.forwarded.WithLabelValues(name).Inc()
		}
		r.settle(ctx, g, results)
	}
	r.metrics.forwarding.WithLabelValues(result).Observe(time.Since(began).Seconds())
}

// resultAnswered labels what has a receipt.
const resultAnswered = "answered"

// settle takes the results of a try.
func (r *router) settle(ctx context.Context, g group, results []journal.Result) {
	var wrong []*errand
	for i, res := range results {
		e := g.errands[i]
		switch {
		case res.Err == nil:
			e.answer(res)
		case errors.Is(res.Err, journal.ErrInvalid):
			e.end(res.Err)
		case errors.Is(res.Err, journal.ErrLaneMoving):
			// The owner is right, and not there yet.
			e.put(reasonMoving, res.Err)
		case errors.Is(res.Err, errVersions):
			e.put(reasonVersions, res.Err) // The lane may move to the version that reads as this one does.
		default:
			e.put(errorName(res.Err), res.Err)
			wrong = append(wrong, e)
		}
	}
	if ctx.Err() == nil { // A caller whose time is over says nothing of the owner.
		r.wrong(g, wrong)
	}
}

// wrong tells the journal of each lane that was not where it said.
func (r *router) wrong(g group, errands []*errand) {
	told := map[int32]bool{}
	for _, e := range errands {
		if !told[e.lane] {
			told[e.lane] = true
			r.journal.OwnerWrong(e.lane, *g.owner)
		}
	}
}
