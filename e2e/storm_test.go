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

// The variables of the storm.
const (
	// envSeed is the seed of the faults and of the load. Default: the time, which is printed.
	envSeed = "ORDERLEDGER_CHAOS_SEED"
	// envFaults is how many faults there are. Default: a few; make chaos has hundreds.
	envFaults = "ORDERLEDGER_CHAOS_FAULTS"
)

// seedOf returns the seed of a test and says how to repeat it, at the start and again when it fails.
func seedOf(t testing.TB) uint64 {
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
	t.Logf("seed %d; again: %s", seed, again)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again: %s", again)
		}
	})
	return seed
}

// awayFor is how long a part is away in its own scenario: a minute in the long version.
func awayFor() time.Duration {
	if os.Getenv(envFaults) != "" {
		return time.Minute
	}
	return 4 * time.Second
}

// faultsOf returns how many faults a storm has.
func faultsOf(t testing.TB, few int) int {
	t.Helper()
	text := os.Getenv(envFaults)
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, envFaults)
	return n
}

// storm does n faults, drawn by weight, several at once. What is drawn is decided by the seed alone; when it hits is a
// matter of the machine.
type storm struct {
	faults []fault
	n      int
	atOnce int
	most   time.Duration // The longest wait before the next one.
}

// rage runs the storm to its end and logs how many faults of each kind there were.
func (s storm) rage(r *run, seed uint64) {
	r.t.Helper()
	random := rand.New(rand.NewPCG(seed, 0x73746f726d))
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	begun := time.Now()
	journal, err := os.Create(filepath.Join(r.dir, "faults.log"))
	require.NoError(r.t, err)
	defer journal.Close()
	var mu sync.Mutex
	var problems []error
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(journal, "%7.2f  %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
	}
	slots := make(chan struct{}, s.atOnce)
	var all sync.WaitGroup
	counts := map[string]int{}
	for n := 1; n <= s.n; {
		slots <- struct{}{}
		f := s.draw(random)
		do, what, ok := f.begin(r, random)
		if !ok {
			<-slots
			if !after(ctx, 10*time.Millisecond) {
				break
			}
			continue
		}
		counts[f.kind]++
		note("%d begins: %s", n, what)
		number := n
		all.Go(func() {
			defer func() { <-slots }()
			if err := do(ctx); err != nil {
				mu.Lock()
				problems = append(problems, fmt.Errorf("fault %d, %s: %w", number, what, err))
				mu.Unlock()
			}
			note("%d is over", number)
		})
		n++
		if n%20 == 0 {
			told, obeyed := r.load.record.size()
			note("so far %d notifications and %d answers, %d tries without one", told, obeyed, r.load.record.fails.Load())
		}
		if !after(ctx, between(random, time.Millisecond, s.most)) {
			break
		}
	}
	all.Wait()
	r.t.Logf("%d faults in %.0f s: %s", s.n, time.Since(begun).Seconds(), countsText(counts))
	require.NoError(r.t, errors.Join(problems...))
}

// draw picks a fault by weight.
func (s storm) draw(random *rand.Rand) fault {
	sum := 0
	for _, f := range s.faults {
		sum += f.weight
	}
	n := random.IntN(sum)
	for _, f := range s.faults {
		if n -= f.weight; n < 0 {
			return f
		}
	}
	return s.faults[0]
}

func countsText(counts map[string]int) string {
	var parts []string
	for kind, n := range counts {
		parts = append(parts, fmt.Sprintf("%s %d", kind, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
