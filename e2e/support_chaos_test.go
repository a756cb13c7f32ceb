package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The variables of chaos tests.
const (
	// envSeed is the seed of the faults and of the workload. The default is the time; tests print it.
	envSeed = "ORDERLEDGER_CHAOS_SEED"
	// envFaults is the number of faults. The default is a few; make chaos sets hundreds.
	envFaults = "ORDERLEDGER_CHAOS_FAULTS"
)

// chooseSeed returns the seed of a test and logs the command that repeats it, at the start and again if it fails.
func chooseSeed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano() % 1_000_000_000)
	if text := os.Getenv(envSeed); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, envSeed)
	}
	again := fmt.Sprintf("%s=%d", envSeed, seed)
	if n := os.Getenv(envFaults); n != "" {
		again += " " + envFaults + "=" + n
	}
	again += " go test ./e2e -count=1 -timeout 1h -run '^" + t.Name() + "$'"
	t.Logf("seed %d; repeat with: %s", seed, again)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: %s", again)
		}
	})
	return seed
}

// outageTime is how long a part is down in its own scenario: a minute in the long version.
func outageTime() time.Duration {
	if os.Getenv(envFaults) != "" {
		return time.Minute
	}
	return 4 * time.Second
}

// faultCount returns the number of faults, few unless a variable sets it.
func faultCount(t testing.TB, few int) int {
	t.Helper()
	text := os.Getenv(envFaults)
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, envFaults)
	return n
}

// chaos makes n faults, drawn by weight, several at once. The seed alone decides what is drawn; the timing depends on
// the machine.
type chaos struct {
	faults []fault
	n      int
	atOnce int
	most   time.Duration // The longest wait before the next fault.
}

// run makes all faults and logs how many there were of each kind.
func (c chaos) run(s *scenario, seed uint64) {
	s.t.Helper()
	random := rand.New(rand.NewPCG(seed, 0x73746f726d))
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	begun := time.Now()
	log, err := os.Create(filepath.Join(s.dir, "faults.log"))
	require.NoError(s.t, err)
	defer log.Close()
	var mu sync.Mutex
	var problems []error
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(log, "%7.2f  %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
	}
	slots := make(chan struct{}, c.atOnce)
	var all sync.WaitGroup
	counts := map[string]int{}
	for n := 1; n <= c.n; {
		slots <- struct{}{}
		f := c.draw(random)
		do, what, ok := f.begin(s, random)
		if !ok {
			<-slots
			if !after(ctx, 10*time.Millisecond) {
				break
			}
			continue
		}
		counts[f.kind]++
		note("fault %d begins: %s", n, what)
		number := n
		all.Go(func() {
			defer func() { <-slots }()
			if err := do(ctx); err != nil {
				mu.Lock()
				problems = append(problems, fmt.Errorf("fault %d, %s: %w", number, what, err))
				mu.Unlock()
			}
			note("fault %d is over", number)
		})
		n++
		if n%20 == 0 {
			notifications, answers := s.workload.record.size()
			note("so far %d notifications and %d answers, %d tries without an answer", notifications, answers, s.workload.record.unanswered.Load())
		}
		if !after(ctx, between(random, time.Millisecond, c.most)) {
			break
		}
	}
	all.Wait()
	s.t.Logf("%d faults in %.0f s: %s", c.n, time.Since(begun).Seconds(), countsText(counts))
	require.NoError(s.t, errors.Join(problems...))
}

// draw picks a fault by weight.
func (c chaos) draw(random *rand.Rand) fault {
	sum := 0
	for _, f := range c.faults {
		sum += f.weight
	}
	n := random.IntN(sum)
	for _, f := range c.faults {
		if n -= f.weight; n < 0 {
			return f
		}
	}
	return c.faults[0]
}

func countsText(counts map[string]int) string {
	var parts []string
	for kind, n := range counts {
		parts = append(parts, fmt.Sprintf("%s %d", kind, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
