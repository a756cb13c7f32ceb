package projector_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEverythingIsInTheTablesOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	b.stories(20)
	b.projector(config(), b.click)
	b.caughtUp()
	b.complete()
	b.stories(15)
	b.caughtUp()
	b.complete()
	require.Zero(t, b.number("count() FROM dead_letters"))
}
