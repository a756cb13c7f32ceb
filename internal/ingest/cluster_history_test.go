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
	callsOfShipment  = 40 // Then another takes its place: the search grows fast with the length of a history.
	workers          = 16
)

// history records the calls to a cluster and their outcomes.
type history struct {
	c     *cluster
	began time.Time

	mu       sync.Mutex
	serving  []*instance // Callers choose among these.
	active   []*subject
	ready    chan *subject // They become active next.
	ops      []porcupine.Operation
	receipts map[string]bool // As shipment and offset.
	failures []string        // Calls that failed at an instance that was healthy all the time.
	calls    int
	inDoubt  int
}

// subject is a shipment that callers cancel groups of.
type subject struct {
	id    string
	calls int
	sent  []cancelOp
}

func (h *history) now() int64 { return time.Since(h.began).Nanoseconds() }

// serve replaces the instances that callers choose among.
func (h *history) serve(all ...*instance) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serving = all
}

// create creates a shipment and waits until its owner has decided that.
func (h *history) create(ctx context.Context, id string) bool {
	for ctx.Err() == nil {
		n := h.pickInstance(rand.IntN)
		if a := post(ctx, n, "/notifications/own", manyGroups(id), ""); a.status != http.StatusOK {
			continue
		}
		for range 200 {
			for _, n := range h.all() {
				reading, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				s, err := n.journal.State(reading, id)
				cancel()
				if err == nil && s != nil {
					return true
				}
			}
			// The lane is moving, or its owner has not read the inbox yet.
			select {
			case <-ctx.Done():
				return false
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return false
}

func (h *history) all() []*instance {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*instance{}, h.serving...)
}

func (h *history) pickInstance(intn func(int) int) *instance {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.serving[intn(len(h.serving))]
}

// pick draws the next operation: some groups of a shipment, or a repeat of an earlier operation.
func (h *history) pick(r *rand.Rand, key string) cancelOp {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := r.IntN(len(h.active))
	if h.active[at].calls >= callsOfShipment {
		select {
		case h.active[at] = <-h.ready:
		default: // The lanes are moving, and no new shipment is ready.
		}
	}
	s := h.active[at]
	s.calls++
	if len(s.sent) > 0 && r.IntN(4) == 0 {
		return s.sent[r.IntN(len(s.sent))]
	}
	in := cancelOp{shipment: s.id, key: key, groups: 1 << r.IntN(groupsOfShipment)}
	for range r.IntN(3) {
		in.groups |= 1 << r.IntN(groupsOfShipment)
	}
	s.sent = append(s.sent, in)
	return in
}

// supply creates the shipments that become active later, until ctx ends.
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

// work calls until ctx ends. It repeats a call without an outcome under the same key, at another instance: both are one
// operation, which takes effect at most once in all that time.
func (h *history) work(ctx context.Context, worker int, seed uint64) {
	r := rand.New(rand.NewPCG(seed, uint64(worker)))
	for n := 0; ctx.Err() == nil; n++ {
		in := h.pick(r, fmt.Sprint("k", worker, "-", n))
		began := h.now()
		out, inDoubt := cancelled{unknown: true}, false
		for tries := 0; tries < 20 && out.unknown; tries++ {
			n := h.pickInstance(r.IntN)
			faulty := n.faulty()
			call := cancelGroups(context.WithoutCancel(ctx), n, in)
			h.note(n, faulty, call)
			if out = call.out; out.unknown {
				inDoubt = inDoubt || !call.notStored
			}
		}
		end := h.now()
		if out.unknown {
			if !inDoubt {
				continue // Every try was certainly not stored, so the operation must have no effect.
			}
			end = math.MaxInt64
		}
		h.mu.Lock()
		h.ops = append(h.ops, porcupine.Operation{ClientId: worker, Input: in, Output: out, Call: began, Return: end})
		if out.accepted {
			h.receipts[fmt.Sprint(in.shipment, " ", out.offset)] = true
		}
		h.mu.Unlock()
	}
}

// note counts a call. faulty is the instance's channel from before the call.
func (h *history) note(n *instance, faulty <-chan struct{}, a callResult) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	if !a.out.unknown {
		return
	}
	if !a.notStored {
		h.inDoubt++
	}
	select {
	case <-faulty: // Before the call, or during it.
	default:
		h.failures = append(h.failures, n.name+": "+a.detail)
	}
}

// check ends the history with a read of the ledger, and searches for an order of the operations that explains every
// outcome.
func (h *history) check() {
	h.c.Helper()
	left, at := h.c.ledger()
	for receipt := range h.receipts {
		require.True(h.c, at[receipt], "a receipt names an event that does not exist: %s", receipt)
	}
	called := map[string]bool{}
	for _, o := range h.ops {
		called[o.Input.(cancelOp).shipment] = true
	}
	now := h.now()
	for id := range called {
		read := cancelled{left: left[id]}
		h.ops = append(h.ops, porcupine.Operation{Input: cancelOp{shipment: id}, Output: read, Call: now, Return: now})
	}
	began := time.Now()
	result, info := porcupine.CheckOperationsVerbose(shipmentModel(allGroups), h.ops, 5*time.Minute)
	h.c.Logf("%d calls, %d operations on %d shipments, %d in doubt, searched in %s: %s",
		h.calls, len(h.ops), len(called), h.inDoubt, time.Since(began).Round(time.Millisecond), result)
	if result != porcupine.Ok {
		path := filepath.Join(os.TempDir(), "orderledger-linearizability.html")
		require.NoError(h.c, porcupine.VisualizePath(shipmentModel(allGroups), info, path))
		h.c.Log("the history is in", path)
	}
	require.Equal(h.c, porcupine.Ok, result)
	wrong := porcupine.CheckOperationsTimeout(shipmentModel(allGroups), mutated(h.ops), time.Minute)
	require.Equal(h.c, porcupine.Illegal, wrong,
		"a history with one cancellation undone must be illegal")
	require.Empty(h.c, h.failures, "a call failed at a healthy instance")
}

// mutated returns a history whose last read does not show an accepted cancellation. No order explains that, because a
// cancellation is never undone. (Inverting an answer would not do: another one in doubt might explain it.)
func mutated(ops []porcupine.Operation) []porcupine.Operation {
	out := append([]porcupine.Operation{}, ops...)
	gone := map[string]uint16{}
	for _, o := range out {
		if in := o.Input.(cancelOp); in.key != "" && o.Output.(cancelled).accepted {
			gone[in.shipment] |= in.groups
		}
	}
	for i := len(out) - 1; i >= 0; i-- {
		if in := out[i].Input.(cancelOp); in.key == "" && gone[in.shipment] != 0 {
			read := out[i].Output.(cancelled)
			read.left |= gone[in.shipment]
			out[i].Output = read
			break
		}
	}
	return out
}
