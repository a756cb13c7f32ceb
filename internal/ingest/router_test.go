package ingest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestRouterSplitsCallByOwner(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.pair(func(c *ingest.Config) { c.Workers = false })
	var ids []string
	for n := range 3 {
		for lane := range int32(lanes) {
			ids = append(ids, shipmentIn(lane, n))
		}
	}
	f.create(a, ids...)
	sent := slices.Insert(slices.Clone(ids), 4, "unknown")
	for _, m := range []*member{a, b} {
		got := m.labelsOfAll(sent...)
		require.Equal(t, http.StatusOK, got.status, "%s", got.body)
		for i, id := range sent {
			require.Equal(t, id, got.member(t, "shipments", i, "shipmentId"))
		}
		require.Equal(t, "INVALID_SHIPMENTS", got.member(t, "shipments", 4, "errorCode"))
		if m == a {
			require.Equal(t, "SUCCESS", got.member(t, "shipments", 0, "status"), "%s", got.body)
			require.Regexp(t, `^0:\d+,1:\d+,2:\d+$`, got.header.Get("Ledger-Position"))
		}
	}
	for m, other := range map[*member]*member{a: b, b: a} {
		forwarded := 0
		for _, id := range sent {
			if slices.Contains(other.owned(), events.Lane(id, lanes)) {
				forwarded++
			}
		}
		require.Equal(t, 1, m.counted("orderledger_ingest_forward_seconds", "answered"), "one request to each owner, whatever the number of lanes")
		require.Equal(t, forwarded, m.counted("orderledger_ingest_forwarded_total", "answered"))
	}
}

func TestRouterForwardsUpdate(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.pair(func(c *ingest.Config) { c.Workers = false })
	id := shipmentIn(b.owned()[0], 0)
	f.create(a, id)
	var got [2]answer
	for i, m := range []*member{a, b} {
		got[i] = m.send(http.MethodPost, "/sellers/v3/shipments/"+id+"/update", `{"delivery_partner":"P","tracking_id":"T"}`, bearer(ownToken)...)
		require.Equal(t, http.StatusOK, got[i].status, "%s", got[i].body)
	}
	require.JSONEq(t, string(got[1].body), string(got[0].body), "it is the owner's answer: the seller does not ship this shipment itself")
	require.Equal(t, 1, a.counted("orderledger_ingest_forwarded_total", "answered"))
}

func TestRouterForwardsPacking(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a := f.member(nil)
	b := f.member(func(c *ingest.Config) { c.Workers = false }) // Only a packs.
	a.start()
	b.start()
	f.settle()
	id := shipmentIn(b.owned()[0], 0)
	f.create(a, id)
	require.Equal(t, "SUCCESS", b.labelsOfAll(id).member(t, "shipments", 0, "status"))
	f.state(id, status(ledgerv1.Status_STATUS_PACKED))
	testkit.Eventually(t, func() bool { return a.counted("orderledger_ingest_forwarded_total", "answered") == 1 }, "the result is forwarded to the owner")
}

func TestRouterKeepsOrderOfItems(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.pair(func(c *ingest.Config) { c.Workers = false })
	id := shipmentIn(b.owned()[0], 0)
	f.create(a, id)
	item := func(reason string) string {
		return `{"shipmentId":"` + id + `","locationId":"LOC1","cancellationGroupIds":["grp-` + id + `"],"reason":"` + reason + `"}`
	}
	got := a.send(http.MethodPost, "/sellers/v3/shipments/cancel",
		`{"shipments":[`+item("not_enough_inventory")+`,`+item("cannot_procure_item")+`]}`, bearer(ownToken)...)
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	require.Equal(t, "SUCCESS", got.member(t, "shipments", 0, "status"), "%s", got.body)
	decided := f.members[0].decisions(3)
	require.Equal(t, ledgerv1.Outcome_OUTCOME_ACCEPTED, decided[1].GetOutcome(), "the first item of the call is decided first")
	require.NotEqual(t, ledgerv1.Outcome_OUTCOME_ACCEPTED, decided[2].GetOutcome(), "nothing is left for the second")
}

func TestRouterOutlivesFrozenOwner(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.pair(func(c *ingest.Config) { c.Workers, c.Peers.AttemptTimeout = false, 100*time.Millisecond })
	id := shipmentIn(b.owned()[0], 0)
	f.create(a, id)
	thawed := make(chan struct{})
	t.Cleanup(func() { close(thawed) })
	var requests atomic.Int32
	b.intercept(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		requests.Add(1)
		select { // It accepts connections, and answers none.
		case <-thawed:
		case <-r.Context().Done():
		}
	})
	answers := make(chan answer, 1)
	go func() { answers <- a.labelsOfAll(id) }()
	testkit.Eventually(t, func() bool { return requests.Load() >= 2 }, "the router retries")
	b.stop()
	got := <-answers
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	require.Equal(t, "SUCCESS", got.member(t, "shipments", 0, "status"), "%s", got.body)
	require.GreaterOrEqual(t, a.counted("orderledger_ingest_retries_total", "lost"), 1)
	require.GreaterOrEqual(t, a.counted("orderledger_ingest_forwarded_total", "lost"), 2)
	require.GreaterOrEqual(t, a.counted("orderledger_ingest_forward_seconds", "lost"), 2)
}

func TestRouterRetryGetsFirstAnswer(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string][]string{"without a key": nil, "with the caller's key": {"Idempotency-Key", "k1"}} {
		for _, dies := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", the owner dies", false: ", the owner stays"}[dies], func(t *testing.T) {
				t.Parallel()
				f := newFleet(t)
				a, b := f.pair(func(c *ingest.Config) { c.Workers = false })
				id := shipmentIn(b.owned()[0], 0)
				f.create(a, id)
				var decided atomic.Int32
				b.intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					if decided.Add(1) > 1 && !dies {
						next.ServeHTTP(w, r)
						return
					}
					next.ServeHTTP(httptest.NewRecorder(), r)
					panic(http.ErrAbortHandler) // It closes the connection without an answer.
				})
				answers := make(chan answer, 1)
				go func() {
					answers <- a.send(http.MethodPost, "/sellers/v3/shipments/labels", labelsOf(id), append(bearer(ownToken), headers...)...)
				}()
				testkit.Eventually(t, func() bool { return decided.Load() > 0 }, "the command is decided")
				if dies {
					b.stop()
				}
				got := <-answers
				require.Equal(t, http.StatusOK, got.status, "%s", got.body)
				require.Equal(t, "SUCCESS", got.member(t, "shipments", 0, "status"), "%s", got.body)

				// Another intention, so that the first has a successor.
				again := a.send(http.MethodPost, "/sellers/v3/shipments/labels", labelsOfAll(id),
					append(bearer(ownToken), "Idempotency-Key", "again")...)
				require.Equal(t, http.StatusOK, again.status, "%s", again.body)
				var labels []ledgerv1.Outcome
				for _, d := range a.decisions(3) {
					if d.GetInputType() == "command.request_labels" {
						labels = append(labels, d.GetOutcome())
					}
				}
				require.Len(t, labels, 2, "each is decided once")
				require.Equal(t, ledgerv1.Outcome_OUTCOME_ACCEPTED, labels[0])
			})
		}
	}
}

// load requests the labels of one shipment after another, and runs during in the meantime. It goes on, also from the
// first shipment again, until during has returned and each shipment has had one more call, since the calls after a lane
// has moved are the ones that go to a wrong owner first. It stops at an answer that is no success, and returns those.
func (f *fleet) load(shipments int, by func(i int, shipmentID string) answer, during func()) []string {
	f.t.Helper()
	ids := make([]string, shipments)
	for i := range ids {
		ids[i] = shipmentIn(int32(i%lanes), i/lanes)
	}
	f.create(f.members[0], ids...)
	var mu sync.Mutex
	var failed []string
	var anyFailed atomic.Bool
	var callers sync.WaitGroup
	next, over := make(chan int), make(chan struct{})
	for range 4 {
		callers.Go(func() {
			for i := range next {
				id := ids[i%len(ids)]
				if got := by(i, id); got.status != http.StatusOK || got.member(f.t, "shipments", 0, "status") != "SUCCESS" {
					anyFailed.Store(true)
					mu.Lock()
					failed = append(failed, id+": "+string(got.body))
					mu.Unlock()
				}
			}
		})
	}
	for i, left := 0, shipments; left > 0 && !anyFailed.Load(); i++ {
		if i == shipments/4 {
			callers.Go(func() { defer close(over); during() })
		}
		select {
		case <-over:
			left--
		default:
		}
		next <- i
	}
	close(next)
	callers.Wait()
	return failed
}

// labelsOnce requests the labels of a shipment under a key that is its own, so that a repeat gets the first answer.
func (m *member) labelsOnce(id string) answer {
	m.t.Helper()
	return m.send(http.MethodPost, "/sellers/v3/shipments/labels", labelsOfAll(id), append(bearer(ownToken), "Idempotency-Key", id)...)
}

func TestRouterServesWhileInstanceJoins(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.pair(func(c *ingest.Config) { c.Workers = false })
	late := f.member(func(c *ingest.Config) { c.Workers = false })
	byTurns := func(i int, id string) answer { return []*member{a, b}[i%2].labelsOnce(id) }
	failed := f.load(120, byTurns, func() { late.start(); f.settle() })
	require.Empty(t, failed)
}

func TestRouterServesDuringHandOver(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.member(func(c *ingest.Config) { c.Workers = false }), f.member(func(c *ingest.Config) { c.Workers = false })
	a.start()
	units := append([]service.Unit{{Name: "journal", Run: b.journal.Run}}, b.ingest.Units()...)
	last := &units[len(units)-1]
	require.Equal(t, "handover", last.Name, "it is the first to stop")
	var calling sync.RWMutex // Read-locked during a call to b.
	over := false            // Guarded by calling: b has handed its lanes over.
	handOver := last.Run
	last.Run = func(ctx context.Context) error {
		err := handOver(ctx)
		got := b.labelsOfAll(shipmentIn(0, 0))
		if got.status != http.StatusOK || !got.last {
			t.Errorf("after the hand-over: %d %s", got.status, got.body)
		}
		if ready := b.ingest.Ready(t.Context()); ready == nil || !strings.Contains(ready.Error(), "handing over") {
			t.Errorf("ready: %v", ready)
		}
		calling.Lock()
		defer calling.Unlock()
		over = true
		return err
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx, testkit.Logger(t), units...) }()
	t.Cleanup(b.ingest.Close)
	b.url = serve(t, b.ingest)
	f.settle()
	failed := f.load(120, func(i int, id string) answer {
		if i%2 == 1 {
			calling.RLock()
			defer calling.RUnlock()
			if !over {
				return b.labelsOnce(id)
			}
		}
		return a.labelsOnce(id)
	}, func() {
		end()
		if err := <-ended; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	require.Empty(t, failed)
	require.Len(t, a.owned(), lanes)
}

func TestRouterGivesUpOnUnreachableOwner(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	quick := func(c *ingest.Config) { c.Workers, c.Peers.AttemptTimeout = false, 50*time.Millisecond }
	a, b := f.member(quick), f.member(func(c *ingest.Config) { quick(c); c.Peers = peer.Config{} })
	a.start()
	b.start()
	f.settle()
	for from, to := range map[*member]*member{a: b, b: a} {
		got := from.labelsOfAll(shipmentIn(to.owned()[0], 0))
		require.Equal(t, http.StatusServiceUnavailable, got.status, "%s", got.body)
		require.Equal(t, "urn:orderledger:problem:unavailable", got.member(t, "type"))
		require.GreaterOrEqual(t, from.counted("orderledger_ingest_retries_total", "owner_unreachable"), 1)
	}
}

func TestRouterKeepsInDoubt(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.pair(func(c *ingest.Config) { c.Workers, c.CommandTimeout = false, 500*time.Millisecond })
	id := shipmentIn(b.owned()[0], 0)
	f.create(a, id)
	// Use a connection first: on a reused one an HTTP client may resend a request, which would hide that it is in doubt.
	require.Equal(t, http.StatusOK, a.labelsOfAll(shipmentIn(b.owned()[0], 1)).status)
	var requests atomic.Int32
	b.intercept(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		if requests.Add(1) == 1 {
			panic(http.ErrAbortHandler) // It may have been executed.
		}
		w.WriteHeader(http.StatusUnauthorized) // This one certainly was not.
	})
	got := a.labelsOfAll(id)
	require.Equal(t, http.StatusServiceUnavailable, got.status, "%s", got.body)
	require.Equal(t, "urn:orderledger:problem:in_doubt", got.member(t, "type"))
	require.Greater(t, requests.Load(), int32(1))
	require.GreaterOrEqual(t, a.counted("orderledger_ingest_retries_total", "refused"), 1)

	// Without a connection nothing was ever sent, whenever the deadline passes. A refusal would not do for this part: the
	// deadline could pass while it is on its way, and leave the command in doubt.
	b.peers.Close()
	a.deps.Peers.Close()
	got = a.labelsOfAll(id)
	require.Equal(t, "urn:orderledger:problem:unavailable", got.member(t, "type"), "%s", got.body)
	require.GreaterOrEqual(t, a.counted("orderledger_ingest_retries_total", "unreachable"), 1)
}

func TestCommandsItemInDoubt(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.pair(func(c *ingest.Config) { c.Workers, c.CommandTimeout = false, 500*time.Millisecond })
	here, there := shipmentIn(a.owned()[0], 0), shipmentIn(b.owned()[0], 0)
	f.create(a, here, there)
	require.Equal(t, http.StatusOK, a.labelsOfAll(there).status) // Opens a connection; see TestRouterKeepsInDoubt.
	b.intercept(func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) })
	got := a.labelsOfAll(here, there)
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	require.Equal(t, "SUCCESS", got.member(t, "shipments", 0, "status"), "%s", got.body)
	require.Equal(t, "FAILURE", got.member(t, "shipments", 1, "status"))
	require.Equal(t, "OUTCOME_IN_DOUBT", got.member(t, "shipments", 1, "errorCode"), "it may be stored")
	whole := a.labelsOfAll(there)
	require.Equal(t, http.StatusServiceUnavailable, whole.status)
	require.Equal(t, "OUTCOME_IN_DOUBT", whole.member(t, "errorCode"), "the same if the call has no other item")

	b.intercept(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusUnauthorized) })
	testkit.Eventually(t, func() bool {
		// The deadline may pass while the refusal is on its way, which leaves that call in doubt.
		got = a.labelsOfAll(here, there)
		return got.member(t, "shipments", 1, "errorCode") == "DEPENDENT_SYSTEM_CALL_FAILED"
	}, "what is certainly not stored keeps its code")
}

func TestRouterWaitsForSameVersion(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.pair(func(c *ingest.Config) { c.Workers, c.CommandTimeout = false, 2*time.Second })
	id := shipmentIn(b.owned()[0], 0)
	f.create(a, id)
	var old atomic.Bool
	old.Store(true)
	var requests atomic.Int32
	b.intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if old.Load() && strings.HasSuffix(r.URL.Path, "/commands") {
			requests.Add(1)
			_, _ = io.WriteString(w, `[{"error":"versions","detail":"item 0 has another hash here","lane":0}]`)
			return
		}
		next.ServeHTTP(w, r)
	})
	got := a.labelsOfAll(id)
	require.Equal(t, http.StatusServiceUnavailable, got.status, "%s", got.body)
	require.Contains(t, string(got.body), "two versions")
	require.NotEmpty(t, got.header.Get("Retry-After"))
	require.Greater(t, requests.Load(), int32(1), "the router retries")
	old.Store(false)
	require.Equal(t, http.StatusOK, a.labelsOfAll(id).status)
}
