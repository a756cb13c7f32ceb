package preflight_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/preflight"
)

// With one good answer, the findings about the other servers are warnings.
func TestAnyOfNeedsOneGoodAnswer(t *testing.T) {
	t.Parallel()
	ask := func(addr string) (string, *preflight.Finding) {
		if strings.HasPrefix(addr, "down") {
			f := preflight.Failure("start it", "%s is away", addr)
			return "", &f
		}
		return addr, nil
	}
	good := func(all []string) preflight.Finding { return preflight.Good("%s answered", strings.Join(all, ", ")) }

	require.Equal(t, []preflight.Finding{
		{Level: preflight.OK, Seen: "a, c answered"},
		{Level: preflight.Warn, Seen: "down-b is away", Do: "start it"},
	}, preflight.AnyOf([]string{"a", "down-b", "c"}, ask, good))
	require.Equal(t, []preflight.Finding{
		{Level: preflight.Fail, Seen: "down-a is away", Do: "start it"},
		{Level: preflight.Fail, Seen: "down-b is away", Do: "start it"},
	}, preflight.AnyOf([]string{"down-a", "down-b"}, ask, good))
}

func TestAnyOfProbesConcurrently(t *testing.T) {
	t.Parallel()
	met := make(chan struct{})
	// Each probe waits for the other: in sequence, the first would wait for ever.
	preflight.AnyOf([]string{"a", "b"}, func(addr string) (string, *preflight.Finding) {
		select {
		case met <- struct{}{}:
		case <-met:
		}
		return addr, nil
	}, func([]string) preflight.Finding { return preflight.Good("both") })
}
