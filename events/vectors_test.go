package events_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
)

// docs/events.md has the hashes that a reader in another language checks its code against.
func TestChainVectors(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/events.md")
	require.NoError(t, err)
	has := func(row string) {
		t.Helper()
		require.Contains(t, string(page), row)
	}
	layout := events.Layout{
		LedgerID: "ledger-1", Cluster: "orders", Format: 2, Partitioner: events.PartitionerMurmur2, Lanes: 12,
	}
	hash := layout.Hash()
	has(fmt.Sprintf("| layout | epoch 0, `ledger-1`, `orders`, format 2, `murmur2`, 12 lanes | `%s` |", hex.EncodeToString(hash[:])))
	chain := events.ChainStart(hash, events.TopicEvents, 3)
	has(fmt.Sprintf("| start | | `%s` |", hex.EncodeToString(chain.Head[:])))
	for i, v := range []struct{ ceType, value string }{
		{events.TypeShipmentCreated, "value"}, {events.TypeShipmentHeld, "other"},
	} {
		id := events.EventID("ship-1", uint64(i+1))
		r := &events.Record{
			Key: []byte("ship-1"), Timestamp: time.UnixMilli(1772600767000 + int64(i)),
			Headers: []events.Header{
				{Key: "ce_id", Value: []byte(id)},
				{Key: "ce_type", Value: []byte(v.ceType)},
				{Key: "content-type", Value: []byte(events.ContentType)},
			},
			Value: []byte(v.value),
		}
		chain = chain.Next(events.TopicEvents, 3, r)
		has(fmt.Sprintf("| record %d | key `ship-1`, timestamp %d, `ce_id`=`%s`, `ce_type`=`%s`, `content-type`=`%s`, value `%s` | `%s` |",
			i+1, r.Timestamp.UnixMilli(), id, v.ceType, events.ContentType, v.value, hex.EncodeToString(chain.Head[:])))
	}
}
