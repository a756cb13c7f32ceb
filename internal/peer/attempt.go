package peer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/orderledger/orderledger/internal/journal"
)

// resultAnswered labels a command with a receipt, and a request with results.
const resultAnswered = "answered"

// attempt tries a group once and returns the submissions to retry.
func (r *Router) attempt(ctx context.Context, call *Call, g group) []*tracked {
	if g.owner == nil {
		owner, err := r.journal.Owner(ctx, g.submissions[0].lane)
		if err != nil {
			for _, t := range g.submissions {
				t.retry(reasonNotOwner, fmt.Errorf("%w: owner unknown: %w", journal.ErrNotOwner, err))
			}
			return g.submissions
		}
		g.owner = &owner
	}
	switch {
	case g.owner.Self || g.owner.URL != "" && g.owner.URL == r.self:
		r.decide(ctx, call, g)
	case r.client == nil || g.owner.URL == "":
		now := time.Now()
		for _, t := range g.submissions {
			// The owner may be an instance of an earlier configuration that is about to end, so waiting a little helps. If
			// it stays, making callers wait out their deadline would help nobody.
			t.markUnreachable(now, r.timeout)
		}
		r.ownerWrong(g, g.submissions)
	default:
		r.forward(ctx, call, g)
	}
	var left []*tracked
	for _, t := range g.submissions {
		if !t.done {
			left = append(left, t)
		}
	}
	return left
}

// decide decides a group in this instance. It may take the whole deadline: a lane stays here until the journal says
// otherwise, and then the journal answers.
func (r *Router) decide(ctx context.Context, call *Call, g group) {
	commands := make([]journal.Command, len(g.submissions))
	for i, t := range g.submissions {
		commands[i] = call.command(t.Submission)
		commands[i].First = t.inDoubt == nil
	}
	r.settle(ctx, g, r.journal.SubmitAll(ctx, commands))
}

// forward forwards a group to its owner in another instance.
func (r *Router) forward(ctx context.Context, call *Call, g group) {
	f := &forward{
		Action: call.Route, PathID: call.PathID, body: call.Body,
		SellerID: call.SellerID, AuthType: call.AuthType, AuthID: call.AuthID,
		CorrelationID: call.CorrelationID, CausationID: call.CausationID, TraceParent: call.TraceParent,
	}
	for _, t := range g.submissions {
		f.Commands = append(f.Commands, forwardedCommand{
			Index: t.Index, ShipmentID: t.ShipmentID, ServiceID: t.ServiceID,
			Key: t.Key, First: t.inDoubt == nil, Hash: hex.EncodeToString(t.Hash[:]),
		})
	}
	// A frozen instance accepts connections and answers none. Its lanes move on long before it wakes, so a try must not
	// wait for it.
	try, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	began := time.Now()
	results, err := r.client.forward(try, g.owner.URL, f)
	result := resultAnswered
	if failed := (*requestError)(nil); errors.As(err, &failed) {
		result = failed.reason
		r.unanswered(ctx, g, failed)
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

// unanswered records that a request to an owner gave no results.
func (r *Router) unanswered(ctx context.Context, g group, failed *requestError) {
	r.logLimiter.Do(func() {
		r.log.LogAttrs(ctx, slog.LevelWarn, "commands not forwarded", slog.String("owner", g.owner.URL),
			slog.Int("lane", int(g.submissions[0].lane)), slog.Int("items", len(g.submissions)), slog.Any("err", failed))
	})
	for _, t := range g.submissions {
		if failed.sent {
			t.retry(failed.reason, fmt.Errorf("%w: %w", journal.ErrInDoubt, failed))
		} else {
			t.retry(failed.reason, fmt.Errorf("%w: %w", ErrOwnerUnreachable, failed))
		}
		r.metrics.forwarded.WithLabelValues(failed.reason).Inc()
	}
	r.ownerWrong(g, g.submissions)
}

// settle records the results of a try.
func (r *Router) settle(ctx context.Context, g group, results []Result) {
	var wrong []*tracked
	for i, res := range results {
		t := g.submissions[i]
		switch {
		case res.Err == nil:
			t.answer(res)
		case errors.Is(res.Err, journal.ErrInvalid):
			t.fail(res.Err)
		case errors.Is(res.Err, journal.ErrLaneMoving):
			// The owner is the right one, and has not opened the lane yet.
			t.retry(reasonMoving, res.Err)
		case errors.Is(res.Err, ErrVersions):
			t.retry(reasonVersions, res.Err) // The lane may move to an instance of this version.
		default:
			t.retry(errorName(res.Err), res.Err)
			wrong = append(wrong, t)
		}
	}
	if ctx.Err() == nil { // An error after the caller's deadline proves nothing about the owner.
		r.ownerWrong(g, wrong)
	}
}

// ownerWrong reports each lane whose owner was wrong to the journal, so that it asks the group again.
func (r *Router) ownerWrong(g group, wrong []*tracked) {
	reported := map[int32]bool{}
	for _, t := range wrong {
		if !reported[t.lane] {
			reported[t.lane] = true
			r.journal.OwnerWrong(t.lane, *g.owner)
		}
	}
}
