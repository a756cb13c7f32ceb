package membership

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"
)

// asking is what a member has said to the group, what the group has answered, and when the member should ask again. The
// group plans only when a member joins, leaves or dies, so a member whose report has changed in a way that matters has
// to join again.
type asking struct {
	cfg *Config

	mu       sync.Mutex
	draining bool      // Guarded by mu, as all below.
	reported joinData  // The last join.
	plan     Plan      // The last answer,
	assigned []int32   // the lanes in it,
	answered time.Time // and when it came; zero before the first.
	count    uint64    // Of the times that this member asked again.
	asked    time.Time // The last of them.
}

const (
	// askCheckEvery is the interval between checks whether to ask again.
	askCheckEvery = 100 * time.Millisecond
	// someWarmAfter is how long a member waits for all lanes that it should own to be warm before it asks for some.
	someWarmAfter = 30 * time.Second
)

// join returns what to say in a join.
func (a *asking) join() joinData {
	report := a.cfg.Report()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reported = joinData{
		Report: report, URL: a.cfg.Advertise, Nonce: a.nonce(), Draining: a.draining, BadClock: !a.goodClock(),
		Standbys: a.cfg.Standbys,
	}
	return a.reported
}

func (a *asking) nonce() string { return a.cfg.Nonce + "/" + strconv.FormatUint(a.count, 10) }

func (a *asking) goodClock() bool { return a.cfg.ClockGood == nil || a.cfg.ClockGood() }

// planned notes the group's answer.
func (a *asking) planned(p Plan, assigned []int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.plan, a.assigned, a.answered = p, assigned, time.Now()
}

// current returns the group's last answer.
func (a *asking) current() Plan {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.plan
}

// unplanned notes that the group uses the balancer of an older version.
func (a *asking) unplanned() { a.planned(Plan{FollowAll: true}, nil) }

// byPlan reports whether the group plans by reports.
func (a *asking) byPlan() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.answered.IsZero() && !a.plan.FollowAll
}

// reason returns why the member should ask again; empty if it should not.
func (a *asking) reason(now time.Time) string {
	report := a.cfg.Report()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answered.IsZero() || a.plan.FollowAll && a.reported.Draining == a.draining {
		return ""
	}
	// A static member that returns gets its old lanes without a rebalance: nobody has seen its report.
	seen := a.plan.Nonce == a.reported.Nonce
	news := func(lane int32) bool { return report.Warm(lane) && (!seen || !a.reported.Warm(lane)) }
	switch {
	case a.draining != a.reported.Draining:
		return "draining"
	case a.goodClock() == a.reported.BadClock:
		return "clock"
	case slices.ContainsFunc(a.assigned, func(lane int32) bool {
		return (report.at(lane) == Cannot) != (a.reported.at(lane) == Cannot)
	}):
		return "lane damaged or repaired"
	case slices.ContainsFunc(a.assigned, func(lane int32) bool {
		return !report.Warm(lane) && report.at(lane) != Cannot && (!seen || a.reported.Warm(lane))
	}):
		return "cold lane assigned"
	case slices.ContainsFunc(a.plan.Vacant, func(lane int32) bool {
		return news(lane) && !slices.Contains(a.assigned, lane)
	}):
		return "warm for a vacant lane"
	case !slices.ContainsFunc(a.plan.WarmUp, news):
	case !slices.ContainsFunc(a.plan.WarmUp, func(lane int32) bool { return !report.Warm(lane) }):
		return "warm for all lanes to take"
	case now.Sub(a.answered) > someWarmAfter:
		return "warm for some lanes to take"
	}
	return ""
}

// watch asks again when there is a reason, until ctx ends. rejoin has the member join the group again.
func (a *asking) watch(ctx context.Context, rejoin func(), log *slog.Logger) {
	tick := time.NewTicker(askCheckEvery)
	defer tick.Stop()
	// Instances that start together must not ask together, again and again.
	every := a.cfg.AskEvery + time.Duration(rand.Int64N(int64(a.cfg.AskEvery)/4+1))
	for {
		select {
		case now := <-tick.C:
			a.mu.Lock()
			early := now.Sub(a.asked) < every
			a.mu.Unlock()
			if early {
				continue
			}
			if why := a.reason(now); why != "" {
				log.InfoContext(ctx, "rebalance requested", slog.String("reason", why))
				a.ask(rejoin)
			}
		case <-ctx.Done():
			return
		}
	}
}

// ask asks for a rebalance now.
func (a *asking) ask(rejoin func()) {
	a.mu.Lock()
	a.count++
	a.asked = time.Now()
	a.mu.Unlock()
	rejoin()
}

// drain notes that the member leaves soon, and asks others to take its lanes.
func (a *asking) drain(rejoin func()) {
	a.mu.Lock()
	a.draining = true
	a.mu.Unlock()
	a.ask(rejoin)
}
