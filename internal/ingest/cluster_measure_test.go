package ingest_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit"
)

// callers call each lane without a pause, one call after the other, through one instance. Each call is refused and the
// refusal recorded, so the same call can be repeated for ever.
type callers struct {
	c    *cluster
	url  string
	stop context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex
	answers [][]time.Time // By lane; guarded by mu, as all below.
	failed  []string
}

// call starts callers through an instance. ids holds a shipment of each lane with nothing left to cancel.
func (c *cluster) call(url string, ids []string) *callers {
	c.Helper()
	ctx, cancel := context.WithCancel(c.Context())
	k := &callers{c: c, url: url, stop: cancel, answers: make([][]time.Time, len(ids))}
	for lane, id := range ids {
		k.done.Go(func() {
			for ctx.Err() == nil {
				a := cancelGroups(context.WithoutCancel(ctx), callee(url), cancelOp{shipment: id, groups: 1})
				k.mu.Lock()
				if a.out.unknown {
					k.failed = append(k.failed, a.detail)
				} else {
					k.answers[lane] = append(k.answers[lane], time.Now())
				}
				k.mu.Unlock()
			}
		})
	}
	c.Cleanup(k.end)
	return k
}

func (k *callers) end() {
	k.stop()
	k.done.Wait()
}

// answered waits until each of these lanes has answered n calls since then.
func (k *callers) answered(lanes []int32, since time.Time, n int) {
	k.c.Helper()
	testkit.Eventually(k.c, func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, lane := range lanes {
			at := k.answers[lane]
			if len(at) < n || !at[len(at)-n].After(since) {
				return false
			}
		}
		return true
	}, fmt.Sprintf("lanes %v answer", lanes))
}

// gaps returns, for each lane, the longest time between two answers of which the second came after since.
func (k *callers) gaps(lanes []int32, since time.Time) []time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []time.Duration
	for _, lane := range lanes {
		var longest time.Duration
		at := k.answers[lane]
		for i := len(at) - 1; i > 0 && at[i].After(since); i-- {
			longest = max(longest, at[i].Sub(at[i-1]))
		}
		out = append(out, longest)
	}
	return out
}

// silence returns, for each lane, how long after a moment it answered again.
func (k *callers) silence(lanes []int32, since time.Time) []time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []time.Duration
	for _, lane := range lanes {
		at := k.answers[lane]
		// An answer right after that moment was already on its way.
		i, _ := slices.BinarySearchFunc(at, since.Add(100*time.Millisecond), time.Time.Compare)
		if i < len(at) {
			out = append(out, at[i].Sub(since))
		}
	}
	return out
}

// callee returns an instance with nothing but a URL.
func callee(url string) *instance { return &instance{url: url, fault: make(chan struct{})} }

// subjects creates a shipment in each lane, with nothing left to cancel in its first group.
func (c *cluster) subjects(url string) []string {
	c.Helper()
	ids := make([]string, c.lanes)
	for n := 0; slices.Contains(ids, ""); n++ {
		id := fmt.Sprint("M", n)
		lane := events.Lane(id, c.lanes)
		if ids[lane] != "" {
			continue
		}
		ids[lane] = id
		require.Equal(c, 200, post(c.Context(), callee(url), "/notifications/own", manyGroups(id), "").status)
		testkit.Eventually(c, func() bool {
			a := cancelGroups(c.Context(), callee(url), cancelOp{shipment: id, groups: 1})
			return a.out.accepted
		}, id+" exists")
	}
	return ids
}

func long() bool { return os.Getenv("ORDERLEDGER_TEST_SOAK") != "" }

// logQuantiles logs measured durations, and the load of the machine.
func logQuantiles(t testing.TB, what string, of []time.Duration) {
	t.Helper()
	slices.Sort(of)
	at := func(q float64) time.Duration {
		return of[min(len(of)-1, int(q*float64(len(of))))].Round(100 * time.Microsecond)
	}
	load, _ := os.ReadFile("/proc/loadavg") // Empty where the file does not exist.
	t.Logf("%-50s n %4d   p50 %8s   p90 %8s   p99 %8s   max %8s   load %s",
		what, len(of), at(0.5), at(0.9), at(0.99), at(1), strings.TrimSpace(string(load)))
}

func TestMeasuredPlannedHandOver(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testkit.Apache, 4)
	cycles := 2
	if long() {
		cycles = 30
	}
	stays := c.launch("stays")
	c.settle(stays)
	k := c.call(stays.url, c.subjects(stays.url))
	comes := c.launch("comes")
	own := c.settle(comes, stays)
	var leaving, joining, calm []time.Duration
	for range cycles {
		all := append(sorted(own["comes"]), own["stays"]...)
		began := time.Now()
		k.answered(all, began, 100)
		calm = append(calm, k.gaps(all, began)...)

		moving := own["comes"]
		began = time.Now()
		comes.terminate()
		k.answered(moving, time.Now(), 20)
		leaving = append(leaving, k.gaps(moving, began)...)

		began = time.Now()
		comes.run()
		own = c.settle(comes, stays)
		k.answered(own["comes"], time.Now(), 20)
		joining = append(joining, k.gaps(own["comes"], began)...)
	}
	k.end()
	logQuantiles(t, "longest gap between answers, no lane moves", calm)
	logQuantiles(t, "lane handed over by an instance that stops", leaving)
	logQuantiles(t, "lane handed over to an instance that starts", joining)
	require.Empty(t, k.failed, "a planned hand-over fails no call")
	c.ledger()
}

func TestMeasuredTakeoverAfterKill(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testkit.Apache, 4)
	rounds := 1
	if long() {
		rounds = 10
	}
	stays, dies := c.launch("stays"), c.launch("dies")
	own := c.settle(dies, stays)
	k := c.call(stays.url, c.subjects(stays.url))
	var silent []time.Duration
	for range rounds {
		k.answered(own["dies"], time.Now(), 20)
		began := time.Now()
		dies.kill()
		k.answered(own["dies"], began.Add(time.Second), 5)
		silent = append(silent, k.silence(own["dies"], began)...)
		dies.run()
		own = c.settle(dies, stays)
	}
	k.end()
	logQuantiles(t, "lane taken over after kill -9, session 8s", silent)
	require.Empty(t, k.failed, "calls wait for the next owner")
	c.ledger()
}

func TestMeasuredTakeoverOfStoppedProcess(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testkit.Apache, 4)
	rounds := 1
	if long() {
		rounds = 10
	}
	stays, stopped := c.launch("stays"), c.launch("stopped")
	own := c.settle(stopped, stays)
	ids := c.subjects(stays.url)
	var silent []time.Duration
	for range rounds {
		k := c.call(stays.url, ids)
		k.answered(own["stopped"], time.Now(), 20)
		began := time.Now()
		stopped.signal(syscall.SIGSTOP)
		k.answered(own["stopped"], began.Add(time.Second), 5)
		silent = append(silent, k.silence(own["stopped"], began)...)
		k.end()
		require.Empty(t, k.failed, "calls wait for the next owner")

		// No caller is left, so any new record would be the stopped process's.
		before := c.ends()
		stopped.signal(syscall.SIGCONT)
		own = c.settle(stopped, stays) // It has noticed, and is a member again.
		require.Equal(t, before, c.ends(), "the lanes have no record of it, not even an aborted one")
	}
	logQuantiles(t, "lane taken over after SIGSTOP, session 8s", silent)
	left, _ := c.ledger()
	for _, id := range ids {
		require.Contains(t, left, id)
	}
}
