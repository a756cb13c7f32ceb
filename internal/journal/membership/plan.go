package membership

import (
	"cmp"
	"math"
	"slices"
)

// The states of a lane in a report, beside the number of records that are left to read.
const (
	// Open says that the member serves the lane.
	Open int64 = -1 - iota
	// Unknown says that the member's store of the lane was not compared with the lane.
	Unknown
	// Cannot says that the member can't open the lane until somebody repairs it.
	Cannot
)

// Report is what a member says of itself when it joins: how near it is to serving each lane.
type Report struct {
	// Lanes holds, for each lane, the records that are left to read, or Open, Unknown or Cannot.
	Lanes []int64 `json:"lanes"`
	// Rate is how many records the member reads in a second.
	Rate float64 `json:"rate"`
}

// warmSeconds is how long a warm member may need to read what is left of a lane.
const warmSeconds = 2

// Warm reports whether the member could serve a lane after a short read, or does so.
func (r *Report) Warm(lane int32) bool {
	at := r.at(lane)
	return at == Open || at >= 0 && float64(at) <= warmSeconds*r.Rate
}

// at returns the state of a lane. A member of a configuration with fewer lanes does not know it.
func (r *Report) at(lane int32) int64 {
	if int(lane) >= len(r.Lanes) {
		return Unknown
	}
	return r.Lanes[lane]
}

// left returns how far the member is from a lane's end.
func (r *Report) left(lane int32) int64 {
	switch at := r.at(lane); {
	case at >= 0:
		return at
	case at == Open:
		return 0
	case at == Unknown:
		return math.MaxInt64 - 1
	}
	return math.MaxInt64 // Cannot.
}

// candidate is a member as the leader sees it in a rebalance.
type candidate struct {
	Report
	draining  bool
	goodClock bool
	owned     map[int32]bool // The lanes that the group assigns to it now.
}

// none stands for no member.
const none = -1

// planner assigns lanes to members. The leader of the group runs it in each rebalance, over what all members report.
//
// A lane stays where it is open, unless that member drains. Everything else is a preference for members that are warm:
// a lane that moves to another one closes until that has read it. The plan must not depend on anything that differs
// between the two rounds of a cooperative rebalance, or a lane would be taken from one member and given to a third.
type planner struct {
	lanes    int32
	standbys int
	members  []candidate

	owner  []int            // By lane: the index of the member that should own it, none if nobody can.
	holder []int            // By lane: the index of the member that serves it, or none.
	load   []int            // By member: the lanes it should own.
	target []int            // By lane: the member that reads it to own it later, or none.
	follow []map[int32]bool // By member: the lanes it keeps a standby of, targets included.
}

func newPlanner(lanes int32, standbys int, members []candidate) *planner {
	p := &planner{lanes: lanes, standbys: standbys, members: members}
	nobody := slices.Repeat([]int{none}, int(lanes))
	p.owner, p.holder, p.target = slices.Clone(nobody), slices.Clone(nobody), nobody
	p.load, p.follow = make([]int, len(members)), make([]map[int32]bool, len(members))
	for m := range members {
		p.follow[m] = map[int32]bool{}
	}
	for lane := range lanes {
		p.holder[lane] = p.serving(lane)
	}
	return p
}

// run makes the plan.
func (p *planner) run() *planner {
	if len(p.members) == 0 {
		return p
	}
	for lane := range p.lanes {
		if h := p.holder[lane]; h != none && !p.members[h].draining {
			p.give(lane, h)
		}
	}
	for lane := range p.lanes {
		if p.owner[lane] == none {
			p.give(lane, p.choose(lane))
		}
	}
	p.balance()
	p.replaceDraining()
	p.assignStandbys()
	return p
}

func (p *planner) give(lane int32, m int) {
	p.owner[lane] = m
	p.load[m]++
}

// serving returns the member that has a lane open. Two may say so: one of them was fenced and has not noticed, or its
// lane drains. The one that does not leave comes first, then the one to which the group assigns the lane.
func (p *planner) serving(lane int32) int {
	best := none
	for m := range p.members {
		if p.members[m].at(lane) == Open && (best == none || cmp.Or(
			compareTrue(!p.members[m].draining, !p.members[best].draining),
			compareTrue(p.members[m].owned[lane], p.members[best].owned[lane]),
		) < 0) {
			best = m
		}
	}
	return best
}

// compareTrue orders true before false.
func compareTrue(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// choose returns the member for a lane that is not open, or whose holder drains.
func (p *planner) choose(lane int32) int {
	able := p.pick(func(c *candidate) bool { return !c.draining && c.at(lane) != Cannot })
	warm := slices.DeleteFunc(slices.Clone(able), func(m int) bool { return !p.members[m].Warm(lane) })
	if len(warm) > 0 {
		return slices.MinFunc(warm, func(a, b int) int {
			return cmp.Or(
				compareTrue(p.members[a].goodClock, p.members[b].goodClock),
				compareTrue(p.members[a].owned[lane], p.members[b].owned[lane]), // It may be about to open it.
				cmp.Compare(p.load[a], p.load[b]),
			)
		})
	}
	if h := p.holder[lane]; h != none {
		return h // It drains, and nobody else could serve the lane soon.
	}
	pool := able
	if len(pool) == 0 { // Nobody can open it, so it rests where it is.
		pool = p.pick(func(c *candidate) bool { return !c.draining })
	}
	if len(pool) == 0 {
		pool = p.pick(func(*candidate) bool { return true })
	}
	for _, m := range pool {
		if p.members[m].owned[lane] {
			return m // It is reading the lane already.
		}
	}
	return slices.MinFunc(pool, func(a, b int) int {
		return cmp.Or(
			cmp.Compare(p.members[a].left(lane), p.members[b].left(lane)),
			compareTrue(p.members[a].goodClock, p.members[b].goodClock),
			cmp.Compare(p.load[a], p.load[b]),
		)
	})
}

// pick returns the members that meet a condition.
func (p *planner) pick(meets func(*candidate) bool) []int {
	var out []int
	for m := range p.members {
		if meets(&p.members[m]) {
			out = append(out, m)
		}
	}
	return out
}

// balance moves lanes from the members with most lanes to those with fewest, until they differ by less than two. Lanes
// for which the receiver is warm move now. It begins to read others, and gets them in a later rebalance.
func (p *planner) balance() {
	from := p.pick(func(c *candidate) bool { return !c.draining })
	to := slices.DeleteFunc(slices.Clone(from), func(m int) bool { return !p.members[m].goodClock })
	if len(to) == 0 {
		to = from
	}
	count := slices.Clone(p.load) // With the lanes that will move later.
	for {
		// Sort stably, so that the plan is the same in both rounds.
		slices.SortStableFunc(from, func(a, b int) int { return cmp.Compare(count[b], count[a]) })
		slices.SortStableFunc(to, func(a, b int) int { return cmp.Compare(count[a], count[b]) })
		over, under, lane := p.nextMove(from, to, count)
		if lane == none {
			return
		}
		if p.members[under].Warm(lane) {
			p.load[over]--
			p.give(lane, under)
		} else {
			p.target[lane] = under
		}
		count[over]--
		count[under]++
	}
}

// nextMove returns the next lane to move, and between whom. Moves that have begun come first: the receiver has been
// assigned the lane and has not opened it yet.
func (p *planner) nextMove(from, to, count []int) (over, under int, lane int32) {
	begun := func(m int, lane int32) bool { return p.members[m].owned[lane] && p.members[m].Warm(lane) }
	for _, fresh := range []bool{false, true} {
		for _, over := range from {
			for _, under := range to {
				if count[over]-count[under] < 2 {
					break
				}
				if lane := p.cheapest(over, under); lane != none && (fresh || begun(under, lane)) {
					return over, under, lane
				}
			}
		}
	}
	return none, none, none
}

// cheapest returns the lane whose move from one member to another costs least. A move that has begun comes first: the
// receiver has been assigned the lane, or the giver has already given it up.
func (p *planner) cheapest(over, under int) int32 {
	var lanes []int32
	for lane := range p.lanes {
		if p.owner[lane] == over && p.target[lane] == none && p.members[under].at(lane) != Cannot {
			lanes = append(lanes, lane)
		}
	}
	if len(lanes) == 0 {
		return none
	}
	cost := func(lane int32) int64 {
		if p.members[under].Warm(lane) {
			return 0
		}
		return p.members[under].left(lane)
	}
	return slices.MinFunc(lanes, func(a, b int32) int {
		return cmp.Or(
			cmp.Compare(cost(a), cost(b)),
			compareTrue(p.members[under].owned[a], p.members[under].owned[b]),
			compareTrue(!p.members[over].owned[a], !p.members[over].owned[b]),
			cmp.Compare(a, b),
		)
	})
}

// replaceDraining names the next owner of each lane that only a draining member can serve, so that it begins to read.
func (p *planner) replaceDraining() {
	staying := p.pick(func(c *candidate) bool { return !c.draining })
	targets := make([]int, len(p.members))
	for lane := range p.lanes {
		m := p.owner[lane]
		if !p.members[m].draining || p.target[lane] != none {
			continue
		}
		able := slices.DeleteFunc(slices.Clone(staying), func(m int) bool { return p.members[m].at(lane) == Cannot })
		if len(able) == 0 {
			continue
		}
		next := slices.MinFunc(able, func(a, b int) int {
			return cmp.Or(
				compareTrue(p.members[a].goodClock, p.members[b].goodClock),
				cmp.Compare(p.load[a]+targets[a], p.load[b]+targets[b]),
				cmp.Compare(p.members[a].left(lane), p.members[b].left(lane)),
			)
		})
		p.target[lane] = next
		targets[next]++
	}
}

// assignStandbys says who follows which lane: its target, and as many others as configured.
func (p *planner) assignStandbys() {
	count := make([]int, len(p.members))
	add := func(m int, lane int32) {
		p.follow[m][lane] = true
		count[m]++
	}
	for lane := range p.lanes {
		need := p.standbys
		if next := p.target[lane]; next != none {
			add(next, lane)
			need--
		}
		others := p.pick(func(c *candidate) bool { return !c.draining && c.at(lane) != Cannot })
		others = slices.DeleteFunc(others, func(m int) bool { return m == p.owner[lane] || p.follow[m][lane] })
		slices.SortStableFunc(others, func(a, b int) int {
			return cmp.Or(
				compareTrue(p.members[a].Warm(lane), p.members[b].Warm(lane)),
				cmp.Compare(count[a], count[b]),
				cmp.Compare(p.members[a].left(lane), p.members[b].left(lane)),
			)
		})
		for _, m := range others[:min(max(need, 0), len(others))] {
			add(m, lane)
		}
	}
}

// vacant returns the lanes that nobody serves, or only a member that leaves.
func (p *planner) vacant() []int32 {
	var out []int32
	for lane := range p.lanes {
		if h := p.holder[lane]; h == none || p.members[h].draining {
			out = append(out, lane)
		}
	}
	return out
}
