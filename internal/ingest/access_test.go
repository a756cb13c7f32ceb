package ingest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/orderledger/orderledger/internal/sellers"
)

func TestAccessAdmitsCallAboveBurst(t *testing.T) {
	t.Parallel()
	const burst = 3
	for _, items := range []int{1, burst - 1, burst, burst + 1, 100 * burst} {
		// So slow that nothing comes back during the test.
		a := &access{perSecond: 1e-6, burst: burst, limiters: map[string]*rate.Limiter{}}
		who := &sellers.Seller{ID: "s"}
		require.NoError(t, a.admit(who, 1), items)
		require.NoError(t, a.admitItems(who, items), "%d items", items)
		for range burst - min(items, burst) {
			require.NoError(t, a.admit(who, 1), "%d items", items)
		}
		require.Error(t, a.admit(who, 1), "%d items", items)
	}
}
