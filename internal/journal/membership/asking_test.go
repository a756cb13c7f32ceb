package membership

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A member asks for a rebalance only when its report has changed in a way that matters.
func TestAskingReason(t *testing.T) {
	t.Parallel()
	const cold = 1e9
	type state struct {
		before, now []int64 // What it reported in its last join, and what it would report.
		assigned    []int32
		plan        Plan
		unseen      bool // The leader has seen another join.
		draining    bool
		badClock    bool
		after       time.Duration
	}
	for name, c := range map[string]struct {
		state
		want string
	}{
		"nothing has changed":                   {state{before: []int64{Open}, now: []int64{Open}, assigned: []int32{0}}, ""},
		"a lane is assigned, known to be cold":  {state{before: []int64{cold}, now: []int64{cold}, assigned: []int32{0}}, ""},
		"a lane is assigned, and nobody knows":  {state{before: []int64{cold}, now: []int64{cold}, assigned: []int32{0}, unseen: true}, "cold lane assigned"},
		"the store of an assigned lane is lost": {state{before: []int64{0}, now: []int64{cold}, assigned: []int32{0}}, "cold lane assigned"},
		"warm for a lane that nobody serves": {
			state{before: []int64{cold}, now: []int64{0}, plan: Plan{Vacant: []int32{0}}}, "warm for a vacant lane",
		},
		"was warm for a lane that nobody serves": {state{before: []int64{0}, now: []int64{0}, plan: Plan{Vacant: []int32{0}}}, ""},
		"warm for a lane that another serves":    {state{before: []int64{cold}, now: []int64{0}, plan: Plan{Follow: []int32{0}}}, ""},
		"warm for all lanes to take": {
			state{before: []int64{cold, cold}, now: []int64{0, 0}, plan: Plan{WarmUp: []int32{0, 1}}}, "warm for all lanes to take",
		},
		"warm for some":               {state{before: []int64{cold, cold}, now: []int64{0, cold}, plan: Plan{WarmUp: []int32{0, 1}}}, ""},
		"warm for some after a while": {state{before: []int64{cold, cold}, now: []int64{0, cold}, plan: Plan{WarmUp: []int32{0, 1}}, after: time.Minute}, "warm for some lanes to take"},
		"a lane is damaged":           {state{before: []int64{cold}, now: []int64{Cannot}, assigned: []int32{0}}, "lane damaged or repaired"},
		"a lane is repaired":          {state{before: []int64{Cannot}, now: []int64{cold}, assigned: []int32{0}}, "lane damaged or repaired"},
		"it leaves":                   {state{before: []int64{Open}, now: []int64{Open}, draining: true}, "draining"},
		"its clock is wrong":          {state{before: []int64{Open}, now: []int64{Open}, badClock: true}, "clock"},
		"older builds are in the group": {
			state{before: []int64{cold}, now: []int64{0}, plan: Plan{FollowAll: true, Vacant: []int32{0}}}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := Report{Lanes: c.before, Rate: 100}
			a := &asking{cfg: &Config{Report: func() Report { return report }, ClockGood: func() bool { return true }}}
			c.plan.Nonce = a.join().Nonce
			if c.unseen {
				c.plan.Nonce = "of an earlier life"
			}
			a.planned(c.plan, c.assigned)
			report.Lanes, a.draining = c.now, c.draining
			a.cfg.ClockGood = func() bool { return !c.badClock }
			require.Equal(t, c.want, a.reason(time.Now().Add(c.after)))
		})
	}
}
