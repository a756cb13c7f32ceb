package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// steady is the number of promises that a scenario waits for before its faults begin, and after they have ended.
const steady = 60

// scenario is a deployment under a workload.
type scenario struct {
	*deployment
	workload *workload
}

// newScenario starts a deployment and its workload, and waits until the ledger works.
func newScenario(t testing.TB, b *brokers, p plan, seed uint64, perSecond int) *scenario {
	t.Helper()
	d := newDeployment(t, b, p)
	s := &scenario{deployment: d, workload: newWorkload(t, d.urls, seed, perSecond)}
	s.awaitPromises(steady)
	return s
}

// awaitPromises waits until the ledger has made n more promises.
func (s *scenario) awaitPromises(n int) {
	s.t.Helper()
	notifications, answers := s.workload.record.size()
	require.Eventually(s.t, func() bool {
		n2, a2 := s.workload.record.size()
		return n2+a2 >= notifications+answers+n
	}, 2*time.Minute, 10*time.Millisecond, "the ledger accepts nothing")
}

// awaitAnswers waits until n more calls of sellers have been answered.
func (s *scenario) awaitAnswers(n int) {
	s.t.Helper()
	_, before := s.workload.record.size()
	require.Eventually(s.t, func() bool {
		_, now := s.workload.record.size()
		return now >= before+n
	}, 2*time.Minute, 10*time.Millisecond, "no call is answered")
}

// runFor runs the workload for a time, in which the ledger must make promises.
func (s *scenario) runFor(d time.Duration) {
	s.t.Helper()
	over := time.After(d)
	s.awaitPromises(steady)
	<-over
}

// end repairs everything, waits until the ledger has caught up, and counts.
func (s *scenario) end() {
	s.t.Helper()
	begun := time.Now()
	s.repair()
	ready := time.Now()
	s.awaitPromises(steady)
	clients := s.workload.finish(3 * time.Minute)
	finished := time.Now()
	s.awaitCaughtUp(3 * time.Minute)
	s.t.Logf("ready %.1f s after the last fault, last call answered %.1f s later, caught up %.1f s after that",
		ready.Sub(begun).Seconds(), finished.Sub(ready).Seconds(), time.Since(finished).Seconds())
	require.Empty(s.t, s.panicked(), "programs that panicked")
	requireCounted(s.t, collect(s.t, s.deployment, clients))
}
