package testkit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Limit is how long a test waits for something that must happen. It is generous: only a failing test waits that long.
const Limit = 90 * time.Second

// Eventually waits until cond holds, and fails the test with msg if it does not within Limit. Tests assert nothing
// about how long it took.
func Eventually(t testing.TB, cond func() bool, msg string) {
	t.Helper()
	require.Eventually(t, cond, Limit, 2*time.Millisecond, msg)
}
