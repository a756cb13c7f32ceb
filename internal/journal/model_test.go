package journal

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// rules are the rules of the fence that the model can drop. The package keeps all of them.
type rules struct {
	order        bool // Fence Aa before BB.
	firstOnAa    bool // The first transaction after a takeover is on Aa.
	turnOnCommit bool // The turn passes after a confirmed commit only, not after an abort.
	refenceBoth  bool // After an unknown commit both ids are fenced again, by new clients.
}

const maxOwners = 3

// owner of the model: fencing (0), to read the end (1), open (2).
type modelOwner struct {
	phase  uint8
	fenced [2]bool
	known  int8 // The commits of the log that it has seen.
	turn   uint8
}

// world is a state of the model. Its lane holds a number of commits; each id belongs to whoever fenced it last.
type world struct {
	holder [2]int8
	log    int8
	fences int8
	owners [maxOwners]modelOwner
}

type transition struct {
	to    world
	label string
}

// counterexample searches all interleavings of n owners, breadth first, for a commit by an owner that has not seen the
// whole log. It returns the shortest way there, or nothing.
func counterexample(n int, r rules) []string {
	const maxLog, maxFences = 3, 6
	type parent struct {
		from  world
		label string
	}
	start := world{holder: [2]int8{-1, -1}}
	seen := map[world]parent{start: {}}
	queue := []world{start}
	path := func(w world) (labels []string) {
		for w != start {
			p := seen[w]
			labels = append([]string{p.label}, labels...)
			w = p.from
		}
		return labels
	}
	for len(queue) > 0 {
		w := queue[0]
		queue = queue[1:]
		for i := range n {
			next, bad := steps(w, i, r, maxLog, maxFences)
			if bad != "" {
				return append(path(w), bad)
			}
			for _, t := range next {
				if _, ok := seen[t.to]; !ok {
					seen[t.to] = parent{w, t.label}
					queue = append(queue, t.to)
				}
			}
		}
	}
	return nil
}

// steps returns what one owner may do next, or the violation that it may commit.
func steps(w world, i int, r rules, maxLog, maxFences int8) (next []transition, violation string) {
	o := w.owners[i]
	name := [2]string{"Aa", "BB"}
	to := func(change func(*world, *modelOwner), format string, args ...any) {
		n := w
		change(&n, &n.owners[i])
		next = append(next, transition{n, fmt.Sprint("owner ", i, " ", fmt.Sprintf(format, args...))})
	}
	switch o.phase {
	case 0:
		for x := range 2 {
			if w.fences >= maxFences || o.fenced[x] || r.order && x == 1 && !o.fenced[0] {
				continue
			}
			to(func(n *world, o *modelOwner) {
				n.holder[x], n.fences = int8(i), n.fences+1
				if o.fenced[x] = true; o.fenced[0] && o.fenced[1] {
					o.phase = 1
				}
			}, "fences %s", name[x])
		}
	case 1:
		for turn := range uint8(2) {
			if turn == 1 && r.firstOnAa {
				continue
			}
			to(func(n *world, o *modelOwner) { o.phase, o.known, o.turn = 2, n.log, turn }, "reads to %d, begins with %s", w.log, name[turn])
		}
	case 2:
		if w.holder[o.turn] != int8(i) {
			to(func(_ *world, o *modelOwner) { *o = modelOwner{} }, "is fenced on %s", name[o.turn])
		} else if w.log < maxLog {
			if o.known != w.log {
				return nil, fmt.Sprintf("owner %d COMMITS on %s having seen %d of %d", i, name[o.turn], o.known, w.log)
			}
			to(func(n *world, o *modelOwner) { n.log++; o.known++; o.turn = 1 - o.turn }, "commits on %s", name[o.turn])
			to(func(n *world, o *modelOwner) { n.log++; *o = modelOwner{} }, "commits on %s without knowing it", name[o.turn])
		}
		if !r.turnOnCommit {
			to(func(_ *world, o *modelOwner) { o.turn = 1 - o.turn }, "aborts and passes the turn")
		}
		if !r.refenceBoth {
			to(func(_ *world, o *modelOwner) {
				fenced := [2]bool{}
				fenced[1-o.turn] = true
				*o = modelOwner{fenced: fenced}
			}, "has an unknown outcome and fences %s only", name[o.turn])
		}
	}
	return next, ""
}

// The fence is safe, and each of its rules is needed.
func TestFenceModel(t *testing.T) {
	t.Parallel()
	all := rules{order: true, firstOnAa: true, turnOnCommit: true, refenceBoth: true}
	for n := 2; n <= maxOwners; n++ {
		require.Empty(t, counterexample(n, all), "with all rules, %d owners", n)
	}
	for name, drop := range map[string]func(*rules){
		"order":                      func(r *rules) { r.order = false },
		"first transaction on Aa":    func(r *rules) { r.firstOnAa = false },
		"turn passes on commit only": func(r *rules) { r.turnOnCommit = false },
		"both ids fenced again":      func(r *rules) { r.refenceBoth = false },
	} {
		r := all
		drop(&r)
		found := counterexample(2, r)
		if found == nil {
			found = counterexample(3, r)
		}
		require.NotEmpty(t, found, "without the rule %q two owners commit", name)
		t.Log(name, found)
	}
}
