package ingest_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

const (
	groupsOfShipment = 12
	allGroups        = 1<<groupsOfShipment - 1
	activeShipments  = 8
	callsOfShipment  = 40 // Then another takes its place: what is searched grows fast with the length of a history.
	workers          = 16
)

// history is what callers asked and were told.
type history struct {
	c     *cluster
	began time.Time

	mu       sync.Mutex
	nodes    []*node // Those that callers turn to.
	active   []*subject
	ready    chan *subject // Those that come next.
	ops      []porcupine.Operation
	told     map[string]bool // The receipts, as shipment, lane and offset.
	failures []string        // Calls that failed at an instance that was well all the time.
	calls    int
	doubts   int
}

// subject is a shipment that is worked on.
type subject struct {
	id    string
	calls int
	asked []cancelOp
}

func (h *history) now() int64 { return time.Since(h.began).Nanoseconds() }

func (h *history) serve(nodes ...*node) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nodes = nodes
}

// create makes a shipment and waits until its owner knows it.
func (h *history) create(ctx context.Context, id string) bool {
	for ctx.Err() == nil {
		n := h.anyNode(rand.IntN)
		if a := post(ctx, n, "/notifications/own", manyGroups(id), ""); a.status != http.StatusOK {
			continue
		}
		for range 200 {
			for _, n := range h.all() {
				ask, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				s, err := n.journal.State(ask, id)
				cancel()
				if err == nil && s != nil {
					return true
				}
			}
			// The lane moves, or the inbox is being read.
			select {
			case <-ctx.Done():
				return false
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return false
}

func (h *history) all() []*node {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*node{}, h.nodes...)
}

func (h *history) anyNode(intn func(int) int) *node {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.nodes[intn(len(h.nodes))]
}

// pick draws what to ask next: some groups of a shipment, or again what was asked before.
func (h *history) pick(r *rand.Rand, key string) cancelOp {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := r.IntN(len(h.active))
	if h.active[at].calls >= callsOfShipment {
		select {
		case h.active[at] = <-h.ready:
		default: // The lanes move, and nobody learns of new ones.
		}
	}
	s := h.active[at]
	s.calls++
	if len(s.asked) > 0 && r.IntN(4) == 0 {
		return s.asked[r.IntN(len(s.asked))]
	}
	in := cancelOp{shipment: s.id, key: key, groups: 1 << r.IntN(groupsOfShipment)}
	for range r.IntN(3) {
		in.groups |= 1 << r.IntN(groupsOfShipment)
	}
	s.asked = append(s.asked, in)
	return in
}

// supply makes the shipments that are worked on later, until ctx ends.
func (h *history) supply(ctx context.Context) {
	for n := activeShipments; ctx.Err() == nil; n++ {
		s := &subject{id: fmt.Sprint("S", n)}
		if !h.create(ctx, s.id) {
			return
		}
		select {
		case h.ready <- s:
		case <-ctx.Done():
		}
	}
}

// work asks until ctx ends. What has no certain answer is asked again under the same key, of another instance: that is
// one operation, which happens at most once in all that time.
func (h *history) work(ctx context.Context, worker int, seed uint64) {
	r := rand.New(rand.NewPCG(seed, uint64(worker)))
	for n := 0; ctx.Err() == nil; n++ {
		in := h.pick(r, fmt.Sprint("k", worker, "-", n))
		began := h.now()
		out, doubt := cancelled{unknown: true}, false
		for tries := 0; tries < 20 && out.unknown; tries++ {
			node := h.anyNode(r.IntN)
			hurt := node.trouble()
			call := ask(context.WithoutCancel(ctx), node, in)
			h.note(node, hurt, call)
			if out = call.out; out.unknown {
				doubt = doubt || !call.notStored
			}
		}
		end := h.now()
		if out.unknown {
			if !doubt {
				continue // Everybody said that it is not stored. Then it must have no effect.
			}
			end = math.MaxInt64
		}
		h.mu.Lock()
		h.ops = append(h.ops, porcupine.Operation{ClientId: worker, Input: in, Output: out, Call: began, Return: end})
		if out.accepted {
			h.told[fmt.Sprint(in.shipment, " ", out.offset)] = true
		}
		h.mu.Unlock()
	}
}

func (h *history) note(n *node, hurt <-chan struct{}, a asked) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	if !a.out.unknown {
		return
	}
	if !a.notStored {
		h.doubts++
	}
	select {
	case <-hurt: // Before the call, or in it.
	default:
		h.failures = append(h.failures, n.name+": "+a.why)
	}
}

// check ends the history with a read of the ledger, and searches for an order in which everything that was told is
// true.
func (h *history) check() {
	h.c.Helper()
	left, at := h.c.ledger()
	for told := range h.told {
		require.True(h.c, at[told], "a receipt names an event that is not there: %s", told)
	}
	asked := map[string]bool{}
	for _, o := range h.ops {
		asked[o.Input.(cancelOp).shipment] = true
	}
	now := h.now()
	for id := range asked {
		h.ops = append(h.ops, porcupine.Operation{Input: cancelOp{shipment: id}, Output: cancelled{left: left[id]}, Call: now, Return: now})
	}
	began := time.Now()
	result, info := porcupine.CheckOperationsVerbose(shipmentModel(allGroups), h.ops, 5*time.Minute)
	h.c.Logf("%d calls, %d operations on %d shipments, %d in doubt, searched in %s: %s",
		h.calls, len(h.ops), len(asked), h.doubts, time.Since(began).Round(time.Millisecond), result)
	if result != porcupine.Ok {
		path := filepath.Join(os.TempDir(), "orderledger-linearizability.html")
		require.NoError(h.c, porcupine.VisualizePath(shipmentModel(allGroups), info, path))
		h.c.Log("the history is in", path)
	}
	require.Equal(h.c, porcupine.Ok, result)
	require.Equal(h.c, porcupine.Illegal, porcupine.CheckOperationsTimeout(shipmentModel(allGroups), mutated(h.ops), time.Minute),
		"with one cancellation undone it must be found wrong")
	require.Empty(h.c, h.failures, "a call failed at an instance that was well")
}

// mutated is a history whose last read does not show what an acceptance had told. No order explains that: nothing that
// was cancelled comes back. (An answer turned around might be explained by another that is in doubt.)
func mutated(ops []porcupine.Operation) []porcupine.Operation {
	out := append([]porcupine.Operation{}, ops...)
	told := map[string]uint16{}
	for _, o := range out {
		if in := o.Input.(cancelOp); in.key != "" && o.Output.(cancelled).accepted {
			told[in.shipment] |= in.groups
		}
	}
	for i := len(out) - 1; i >= 0; i-- {
		if in := out[i].Input.(cancelOp); in.key == "" && told[in.shipment] != 0 {
			read := out[i].Output.(cancelled)
			read.left |= told[in.shipment]
			out[i].Output = read
			break
		}
	}
	return out
}
