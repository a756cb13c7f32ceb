package projector_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/testkit"
)

func TestProjectorFillsTablesOnce(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 3)
		b.stories(20)
		b.projector(config(), b.click)
		b.caughtUp()
		b.complete()
		b.stories(15)
		b.caughtUp()
		b.complete()
		require.Zero(t, b.number("count() FROM dead_letters"))
	})
}
