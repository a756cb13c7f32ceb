package ingest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/testkit"
)

func TestClusterIsLinearizable(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		c := newCluster(t, on, 4)
		seed := uint64(time.Now().UnixNano())
		if s := os.Getenv("ORDERLEDGER_TEST_SEED"); s != "" {
			var err error
			seed, err = strconv.ParseUint(s, 10, 64)
			require.NoError(t, err)
		}
		t.Log("ORDERLEDGER_TEST_SEED", seed)
		h := &history{c: c, began: time.Now(), told: map[string]bool{}, ready: make(chan *subject, 100)}
		nodes := []*node{c.start("n0"), c.start("n1"), c.start("n2")}
		c.spread(nodes...)
		h.serve(nodes...)
		for i := range activeShipments {
			id := fmt.Sprint("S", i)
			require.True(t, h.create(t.Context(), id))
			h.active = append(h.active, &subject{id: id})
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var working sync.WaitGroup
		for w := range workers {
			working.Go(func() { h.work(ctx, w, seed) })
		}
		working.Go(func() { h.supply(ctx) })
		h.disturb(seed, nodes)
		cancel()
		working.Wait()
		h.check()
	})
}

// disturb lets instances leave and join, sleep and die, while others are at work, and ends when all lanes are served.
func (h *history) disturb(seed uint64, nodes []*node) {
	h.c.Helper()
	r := rand.New(rand.NewPCG(seed, 1<<32))
	faults := []string{"leave", "sleep", "die"}
	if os.Getenv("ORDERLEDGER_TEST_SOAK") != "" {
		for range 30 {
			faults = append(faults, []string{"leave", "leave", "nap", "sleep", "die", "restart"}[r.IntN(6)])
		}
	}
	done := map[string]int{}
	for i, fault := range faults {
		done[fault]++
		at := r.IntN(len(nodes))
		victim := nodes[at]
		name := fmt.Sprint("n", i+len(nodes))
		switch fault {
		case "leave":
			next := h.c.start(name)
			h.serve(append(append([]*node{}, nodes...), next)...)
			h.served(50)
			nodes = append(nodes[:at:at], nodes[at+1:]...)
			nodes = append(nodes, next)
			h.serve(nodes...) // As a balancer does that was told first.
			victim.leave()
		case "nap": // It wakes before anybody has noticed.
			victim.sleep()
			h.pause(h.c.session / 4)
			victim.wake()
		case "sleep":
			victim.sleep()
			h.pause(h.c.session + 2*time.Second)
			victim.wake()
		case "die", "restart":
			victim.kill()
			if fault == "restart" { // Under its own name it has its lanes back at once.
				name = victim.name
			}
			nodes[at] = h.c.start(name)
			h.serve(nodes...)
		}
		h.served(100)
		h.c.spread(nodes...)
		for _, n := range nodes {
			n.well()
		}
		h.served(100)
	}
	h.c.Log("faults", done)
}

// served waits until so many more calls were answered.
func (h *history) served(n int) {
	h.c.Helper()
	count := func() int {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.ops)
	}
	want := count() + n
	testkit.Eventually(h.c, func() bool { return count() >= want }, "calls are answered")
}

// pause lets callers work for a time; the lengths of sleep are what is tried.
func (h *history) pause(d time.Duration) {
	h.c.Helper()
	until := time.Now().Add(d)
	testkit.Eventually(h.c, func() bool { return time.Now().After(until) }, "some time has passed")
}
