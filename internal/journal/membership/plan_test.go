package membership

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// far is a lane that a member has to read from its beginning, in the tests' unit: a tick of reading.
const far = 40

func reports(report ...int64) candidate {
	return candidate{Report: Report{Lanes: report}, goodClock: true, owned: map[int32]bool{}}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	owns := func(c candidate, lanes ...int32) candidate {
		for _, lane := range lanes {
			c.owned[lane] = true
		}
		return c
	}
	draining := func(c candidate) candidate { c.draining = true; return c }
	badClock := func(c candidate) candidate { c.goodClock = false; return c }
	for name, c := range map[string]struct {
		members []candidate
		owner   []int
		follow  [][]int32
		warmUp  []int
	}{
		"lanes are shared among warm members": {
			members: []candidate{reports(0, 0, 0, 0), reports(0, 0, 0, 0)}, owner: []int{0, 1, 0, 1},
		},
		"an open lane stays although another member is warm": {
			members: []candidate{reports(Open), reports(0)}, owner: []int{0}, follow: [][]int32{nil, {0}},
		},
		"open lanes move to a warm member until they are balanced": {
			members: []candidate{reports(Open, Open, Open, Open), reports(0, 0, 0, 0)}, owner: []int{1, 1, 0, 0},
		},
		"a cold member reads the lanes first that it should own": {
			members: []candidate{reports(Open, Open, Open, Open), reports(far, far, far, far)}, owner: []int{0, 0, 0, 0},
			warmUp: []int{1, 1, none, none},
		},
		"a cold member that joined first after a restart keeps no lane from a warm one": {
			members: []candidate{owns(reports(far, far), 0, 1), reports(0, 0)}, owner: []int{1, 1}, warmUp: []int{0, none},
		},
		"a lane that nobody is warm for stays with the one that reads it": {
			members: []candidate{reports(far / 2), owns(reports(far), 0)}, owner: []int{1},
		},
		"and goes to the one with least left if nobody does": {
			members: []candidate{reports(far), reports(far / 2), reports(Unknown)}, owner: []int{1},
		},
		"a draining member gives its lanes to a warm one": {
			members: []candidate{draining(reports(Open)), reports(0)}, owner: []int{1},
		},
		"or keeps them while somebody reads them": {
			members: []candidate{draining(reports(Open)), reports(far)}, owner: []int{0}, warmUp: []int{1},
			follow: [][]int32{nil, {0}},
		},
		"a draining warm member gets nothing": {
			members: []candidate{draining(reports(0)), reports(far)}, owner: []int{1}, follow: [][]int32{nil, nil},
		},
		"but has what nobody else is there for": {
			members: []candidate{draining(reports(Unknown))}, owner: []int{0},
		},
		"a member that can't open a lane is passed over": {
			members: []candidate{owns(reports(Cannot), 0), reports(far)}, owner: []int{1}, follow: [][]int32{nil, nil},
		},
		"a lane that nobody can open rests": {
			members: []candidate{reports(Cannot), owns(reports(Cannot), 0)}, owner: []int{1},
		},
		"a warm member with a good clock comes first": {
			members: []candidate{badClock(reports(0, 0)), reports(0, 0)}, owner: []int{1, 1},
		},
		"a member with a bad clock keeps what it serves": {
			members: []candidate{badClock(reports(Open, 0)), reports(0, 0)}, owner: []int{0, 1},
		},
		"a lane that a warm member is about to open stays": {
			members: []candidate{draining(reports(Open)), reports(0), owns(reports(0), 0)}, owner: []int{2},
		},
		"the owner of two that say so is the one that stays": {
			members: []candidate{draining(reports(Open)), reports(Open)}, owner: []int{1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlanner(int32(len(c.owner)), 1, c.members).run()
			require.Equal(t, c.owner, p.owner)
			if c.warmUp != nil {
				require.Equal(t, c.warmUp, p.target)
			}
			for m, follow := range c.follow {
				require.ElementsMatch(t, follow, p.planOf(m, nil, "").followed(p, m), "member %d", m)
			}
		})
	}
}

// followed returns what a member follows beside the lanes that it is about to own.
func (p Plan) followed(of *planner, m int) []int32 {
	return slices.DeleteFunc(p.Follow, func(lane int32) bool { return of.owner[lane] == m })
}

// model is a group of members that read lanes, die, leave and join. It knows nothing of Kafka: a rebalance is one step.
type model struct {
	lanes    int32
	standbys int
	rand     *rand.Rand
	members  []*modelMember
	assigned map[int32]*modelMember
	tick     int
	last     int // The tick of the last rebalance.

	rebalances, moves, cold int
	silent                  int // Ticks of lanes that nobody served.
}

type modelMember struct {
	joined, draining bool
	left             []int64 // By lane; 0 is warm.
	open             map[int32]bool
	follow, warmUp   []int32
	vacant           []int32
	reported         []int64 // left, in the last rebalance.
}

func newModel(seed uint64, standbys int) *model {
	return &model{lanes: 12, standbys: standbys, rand: rand.New(rand.NewPCG(seed, 1)), assigned: map[int32]*modelMember{}}
}

// join adds a member with a disk; nil is an empty one.
func (g *model) join(left []int64) *modelMember {
	if left == nil {
		left = slices.Repeat([]int64{far}, int(g.lanes))
	}
	m := &modelMember{joined: true, left: slices.Clone(left), open: map[int32]bool{}}
	g.members = append(g.members, m)
	g.rebalance()
	return m
}

func (g *model) leave(m *modelMember) {
	m.joined = false
	g.members = slices.DeleteFunc(g.members, func(o *modelMember) bool { return o == m })
	g.rebalance()
}

func (g *model) drain(m *modelMember) {
	m.draining = true
	g.rebalance()
}

func (g *model) holder(lane int32) *modelMember {
	for _, m := range g.members {
		if m.open[lane] {
			return m
		}
	}
	return nil
}

func (g *model) rebalance() {
	g.rebalances++
	g.last = g.tick
	var candidates []candidate
	for _, m := range g.members {
		c := reports(m.left...)
		c.Lanes, c.draining = slices.Clone(m.left), m.draining
		for lane := range g.lanes {
			if m.open[lane] {
				c.Lanes[lane] = Open
			}
			c.owned[lane] = g.assigned[lane] == m
		}
		candidates = append(candidates, c)
	}
	p := newPlanner(g.lanes, g.standbys, candidates).run()
	for i, m := range g.members {
		plan := p.planOf(i, nil, "")
		m.follow, m.warmUp, m.vacant, m.reported = plan.followed(p, i), plan.WarmUp, plan.Vacant, slices.Clone(m.left)
	}
	for lane, owner := range p.owner {
		if owner == none {
			continue
		}
		lane, m := int32(lane), g.members[owner]
		if g.assigned[lane] != m {
			g.moves++
			// The rule that matters most: no lane leaves a member that serves it for one that has to read it.
			if h := g.holder(lane); h != nil && h != m && m.left[lane] > 0 {
				g.cold++
			}
		}
		g.assigned[lane] = m
	}
}

// step lets time pass: members open what they are warm for and read the rest.
func (g *model) step() {
	g.tick++
	for lane := range g.lanes {
		if m := g.assigned[lane]; m != nil && m.joined && m.left[lane] == 0 {
			for _, other := range g.members {
				delete(other.open, lane)
			}
			m.open[lane] = true
		}
		if g.holder(lane) == nil {
			g.silent++
		}
	}
	ask := false
	for _, m := range g.members {
		ask = g.read(m) || ask
	}
	if ask && g.tick-g.last >= 5 {
		g.rebalance()
	}
}

// read lets a member read, and reports whether it asks for a rebalance.
func (g *model) read(m *modelMember) bool {
	reads := slices.Clone(m.follow)
	for lane := range g.lanes {
		if g.assigned[lane] == m && !m.open[lane] {
			reads = append(reads, lane)
		}
	}
	reads = slices.DeleteFunc(reads, func(lane int32) bool { return m.left[lane] == 0 })
	for _, lane := range reads {
		m.left[lane] = max(0, m.left[lane]-max(1, 8/int64(len(reads))))
	}
	for lane := range g.lanes { // What it does not read ages.
		idle := !m.open[lane] && g.assigned[lane] != m && !slices.Contains(m.follow, lane)
		if idle && m.left[lane] < far && g.rand.IntN(10) == 0 {
			m.left[lane]++
		}
	}
	news := func(lane int32) bool { return m.left[lane] == 0 && m.reported[lane] > 0 }
	ask := slices.ContainsFunc(m.vacant, func(lane int32) bool { return news(lane) && g.assigned[lane] != m })
	if slices.ContainsFunc(m.warmUp, news) {
		all := !slices.ContainsFunc(m.warmUp, func(lane int32) bool { return m.left[lane] > 0 })
		ask = ask || all || g.tick-g.last > 30
	}
	for lane := range g.lanes { // A lane that was assigned in the belief that the member is warm.
		ask = ask || g.assigned[lane] == m && !m.open[lane] && m.left[lane] > 0 && m.reported[lane] == 0
	}
	return ask
}

func (g *model) steps(n int) *model {
	for range n {
		g.step()
	}
	return g
}

// loads returns how many lanes each member that stays serves, in ascending order.
func (g *model) loads() []int {
	var out []int
	for _, m := range g.members {
		if !m.draining {
			out = append(out, len(m.open))
		}
	}
	slices.Sort(out)
	return out
}

// covered reports whether each lane has a warm member beside its owner.
func (g *model) covered() bool {
	for lane := range g.lanes {
		if !slices.ContainsFunc(g.members, func(m *modelMember) bool { return m != g.assigned[lane] && m.left[lane] == 0 }) {
			return false
		}
	}
	return true
}

func warmDisk(g *model) []int64 { return make([]int64, g.lanes) }

// grown returns a group that one warm member began and two empty ones joined.
func grown(t *testing.T) (*model, []*modelMember) {
	t.Helper()
	g := newModel(1, 1)
	a := g.join(warmDisk(g))
	g.steps(3)
	g.silent = 0
	b, c := g.join(nil), g.join(nil)
	g.steps(300)
	require.Equal(t, []int{4, 4, 4}, g.loads())
	return g, []*modelMember{a, b, c}
}

func TestPlanGrowsAndShrinks(t *testing.T) {
	t.Parallel()
	t.Run("two empty members join one", func(t *testing.T) {
		t.Parallel()
		g, _ := grown(t)
		require.Zero(t, g.silent, "no lane is without its owner")
		require.Zero(t, g.cold)
		require.True(t, g.covered())
		require.LessOrEqual(t, g.rebalances, 10)
		require.LessOrEqual(t, g.moves, 12+8+2)
	})
	t.Run("two of three leave together", func(t *testing.T) {
		t.Parallel()
		g, m := grown(t)
		for _, leaving := range m[1:] {
			leaving.draining = true
		}
		g.rebalance()
		g.steps(100)
		require.Empty(t, m[1].open, "they have nothing left")
		require.Empty(t, m[2].open)
		g.leave(m[1])
		g.leave(m[2])
		g.steps(100)
		require.Zero(t, g.silent)
		require.Equal(t, []int{12}, g.loads())
	})
	t.Run("the empty one starts first after a restart of all", func(t *testing.T) {
		t.Parallel()
		g := newModel(1, 1)
		g.join(nil)
		g.steps(2)
		g.join(warmDisk(g))
		before := g.silent
		g.steps(100)
		require.LessOrEqual(t, g.silent, before+int(g.lanes), "the warm one takes all lanes at once")
		require.Equal(t, []int{6, 6}, g.loads(), "and shares them later")
	})
}

// A deploy replaces one member after the other. Once a new one is warm for what it follows, the next one stops.
func TestPlanRollingDeploy(t *testing.T) {
	t.Parallel()
	for _, disk := range []bool{false, true} {
		t.Run(fmt.Sprintf("keeps disks %t", disk), func(t *testing.T) {
			t.Parallel()
			g, members := grown(t)
			began := g.rebalances
			for i, m := range members {
				g.drain(m)
				for n := 0; len(m.open) > 0; n++ {
					require.Less(t, n, 100, "it can stop")
					g.step()
				}
				g.leave(m)
				g.steps(5)
				var left []int64
				if disk {
					left = m.left
				}
				members[i] = g.join(left)
				cold := func(lane int32) bool { return members[i].left[lane] > 0 }
				for n := 0; n < 2 || slices.ContainsFunc(members[i].follow, cold); n++ {
					require.Less(t, n, 500, "it becomes ready")
					g.step()
				}
			}
			g.steps(200)
			require.Zero(t, g.silent, "no lane is without its owner")
			require.Zero(t, g.cold)
			require.Equal(t, []int{4, 4, 4}, g.loads())
			require.LessOrEqual(t, g.rebalances-began, 30)
		})
	}
}

// Random histories of joins with any disk, kills, stops and lost disks: the group comes to rest, with balanced lanes,
// and no lane ever moves from a member that serves it to one that has to read it.
func TestPlanRandomHistories(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1000) {
		g := newModel(seed, int(seed%3))
		g.join(warmDisk(g))
		for range 5 + g.rand.IntN(56) {
			m := g.members[g.rand.IntN(len(g.members))]
			switch e := g.rand.Float64(); {
			case e < .15 && len(g.members) < 5:
				var left []int64
				if g.rand.IntN(2) == 0 {
					for range g.lanes {
						left = append(left, g.rand.Int64N(far+1))
					}
				}
				g.join(left)
			case e < .22 && len(g.members) > 1:
				g.leave(m)
			case e < .27:
				g.drain(m)
			case e < .32:
				m.left, m.open = slices.Repeat([]int64{far}, int(g.lanes)), map[int32]bool{}
			}
			g.step()
		}
		for _, m := range slices.Clone(g.members) {
			if m.draining && len(g.members) > 1 {
				g.leave(m)
			}
		}
		g.steps(400)
		at := g.rebalances
		g.steps(200)
		require.Equal(t, at, g.rebalances, "seed %d: the group is at rest", seed)
		require.Zero(t, g.cold, "seed %d: no lane moves to a cold member", seed)
		if loads := g.loads(); len(loads) > 0 {
			require.LessOrEqual(t, loads[len(loads)-1]-loads[0], 1, "seed %d: %v", seed, loads)
		}
		if g.standbys > 0 && len(g.loads()) > 1 {
			require.True(t, g.covered(), "seed %d: each lane has a warm standby", seed)
		}
	}
}
