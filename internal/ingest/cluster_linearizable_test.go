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
		h := &history{c: c, began: time.Now(), receipts: map[string]bool{}, ready: make(chan *subject, 100)}
		all := []*instance{c.start("n0"), c.start("n1"), c.start("n2")}
		c.spread(all...)
		h.serve(all...)
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
		h.disturb(seed, all)
		cancel()
		working.Wait()
		h.check()
	})
}

// disturb makes instances leave and join, freeze and die under load, and returns when all lanes are served again.
func (h *history) disturb(seed uint64, all []*instance) {
	h.c.Helper()
	r := rand.New(rand.NewPCG(seed, 1<<32))
	faults := []string{"leave", "freeze", "die"}
	if os.Getenv("ORDERLEDGER_TEST_SOAK") != "" {
		for range 30 {
			faults = append(faults, []string{"leave", "leave", "pause", "freeze", "die", "restart"}[r.IntN(6)])
		}
	}
	done := map[string]int{}
	for i, fault := range faults {
		done[fault]++
		at := r.IntN(len(all))
		victim := all[at]
		name := fmt.Sprint("n", i+len(all))
		switch fault {
		case "leave":
			next := h.c.start(name)
			h.serve(append(append([]*instance{}, all...), next)...)
			h.served(50)
			all = append(all[:at:at], all[at+1:]...)
			all = append(all, next)
			h.serve(all...) // A load balancer stops using an instance before that stops.
			victim.leave()
		case "pause": // Shorter than the session: the group does not notice.
			victim.freeze()
			h.pause(h.c.session / 4)
			victim.thaw()
		case "freeze":
			victim.freeze()
			h.pause(h.c.session + 2*time.Second)
			victim.thaw()
		case "die", "restart":
			victim.kill()
			if fault == "restart" { // Under the same name it gets its lanes back at once.
				name = victim.name
			}
			all[at] = h.c.start(name)
			h.serve(all...)
		}
		h.served(100)
		h.c.spread(all...)
		for _, n := range all {
			n.setHealthy()
		}
		h.served(100)
	}
	h.c.Log("faults injected", done)
}

// served waits until n more operations have ended.
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

// pause lets callers work for a time. It is no wait for a condition: the length of a freeze is what the test varies.
func (h *history) pause(d time.Duration) {
	h.c.Helper()
	until := time.Now().Add(d)
	testkit.Eventually(h.c, func() bool { return time.Now().After(until) }, "some time has passed")
}
