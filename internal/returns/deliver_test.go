package returns

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/journal"
)

func TestOfSenderKeepsReturnsApart(t *testing.T) {
	t.Parallel()
	shipmentOf := func(id, seller string, siblings ...string) linkedShipment {
		return linkedShipment{id: id, sellerID: seller, siblings: siblings, count: max(1, len(siblings))}
	}
	for name, tc := range map[string]struct {
		linked    []linkedShipment
		rec       journal.InboxRecord
		kept      int
		ambiguous bool
	}{
		"one seller": {
			linked: []linkedShipment{shipmentOf("S1", "a"), shipmentOf("S2", "a")}, kept: 2,
		},
		"two returns of one id": {
			linked: []linkedShipment{shipmentOf("S1", "a"), shipmentOf("S2", "b")}, kept: 2, ambiguous: true,
		},
		"one return of two sellers": {
			linked: []linkedShipment{shipmentOf("S1", "a", "S1", "S2"), shipmentOf("S2", "b", "S1", "S2")}, kept: 2,
		},
		"only one names the other": {
			linked: []linkedShipment{shipmentOf("S1", "a", "S1", "S2"), shipmentOf("S2", "b")}, kept: 2, ambiguous: true,
		},
		"a third seller has a return of its own": {
			linked: []linkedShipment{
				shipmentOf("S1", "a", "S1", "S2"), shipmentOf("S2", "b", "S1", "S2"), shipmentOf("S3", "c"),
			}, kept: 3, ambiguous: true,
		},
		"the credential speaks for one of them": {
			linked: []linkedShipment{shipmentOf("S1", "a"), shipmentOf("S2", "b")},
			rec:    journal.InboxRecord{Sellers: []string{"b", "d"}}, kept: 1,
		},
		"the sender names one of them": {
			linked: []linkedShipment{shipmentOf("S1", "a", "S1", "S2"), shipmentOf("S2", "b", "S1", "S2")},
			rec:    journal.InboxRecord{SellerID: "a"}, kept: 1,
		},
		"nobody has it": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept, ambiguous := ofSender(tc.linked, &tc.rec)
			require.Len(t, kept, tc.kept)
			require.Equal(t, tc.ambiguous, ambiguous)
		})
	}
}
