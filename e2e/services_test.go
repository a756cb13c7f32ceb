package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// undisturbed is how many promises a scenario waits for before its faults begin, and after they have ended.
const undisturbed = 60

// run is one scenario: a town under load.
type run struct {
	*town
	load *load
}

// newRun starts a town and its load, and waits until the ledger works.
func newRun(t testing.TB, b *brokers, p plan, seed uint64, perSecond int) *run {
	t.Helper()
	tw := newTown(t, b, p)
	r := &run{town: tw, load: newLoad(t, tw.urls, seed, perSecond)}
	r.advance(undisturbed)
	return r
}

// advance waits until the ledger has made so many further promises.
func (r *run) advance(n int) {
	r.t.Helper()
	told, obeyed := r.load.record.size()
	require.Eventually(r.t, func() bool {
		more, answers := r.load.record.size()
		return more+answers >= told+obeyed+n
	}, 2*time.Minute, 10*time.Millisecond, "the ledger takes nothing any more")
}

// answers waits until so many further calls of sellers have been answered.
func (r *run) answers(n int) {
	r.t.Helper()
	_, before := r.load.record.size()
	require.Eventually(r.t, func() bool {
		_, now := r.load.record.size()
		return now >= before+n
	}, 2*time.Minute, 10*time.Millisecond, "calls are not answered any more")
}

// goOnFor lets the load go on for a time, in which the ledger must have made promises.
func (r *run) goOnFor(d time.Duration) {
	r.t.Helper()
	over := time.After(d)
	r.advance(undisturbed)
	<-over
}

// end mends everything, lets the ledger come to rest and counts.
func (r *run) end() {
	r.t.Helper()
	begun := time.Now()
	r.mend()
	mended := time.Now()
	r.advance(undisturbed)
	clients := r.load.finish(3 * time.Minute)
	finished := time.Now()
	r.settle(3 * time.Minute)
	r.t.Logf("ready %.1f s after the last fault, the last call answered %.1f s later, at rest %.1f s after that",
		mended.Sub(begun).Seconds(), finished.Sub(mended).Seconds(), time.Since(finished).Seconds())
	require.Empty(r.t, r.panicked(), "these panicked")
	requireCounted(r.t, gather(r.t, r.town, clients))
}

func TestThreeServicesOnApacheKafkaKeepEveryPromiseWhenNothingGoesWrong(t *testing.T) {
	r := newRun(t, newBrokers(t), plan{instances: 1, lanes: 4}, 1, 100)
	r.advance(300)
	r.end()
}
