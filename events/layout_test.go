package events_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
)

func TestLayoutHash(t *testing.T) {
	t.Parallel()
	layout := events.Layout{
		LedgerID: "id", Cluster: "shop", Format: events.LayoutFormat, Partitioner: events.PartitionerMurmur2, Lanes: 12,
	}
	t.Run("is over the documented bytes", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, sha256.Sum256([]byte("orderledger.layout.v1\x00"+
			"\x00\x00\x00\x00"+"\x00\x00\x00\x02id"+"\x00\x00\x00\x04shop"+
			"\x00\x00\x00\x02"+"\x00\x00\x00\x07murmur2"+"\x00\x00\x00\x0c")), layout.Hash())
	})
	for name, change := range map[string]func(*events.Layout){
		"epoch":       func(l *events.Layout) { l.Epoch = 1 },
		"ledger id":   func(l *events.Layout) { l.LedgerID = "other" },
		"cluster":     func(l *events.Layout) { l.Cluster = "other" },
		"format":      func(l *events.Layout) { l.Format++ },
		"partitioner": func(l *events.Layout) { l.Partitioner = "other" },
		"lanes":       func(l *events.Layout) { l.Lanes++ },
		"boundary":    func(l *events.Layout) { l.LedgerID, l.Cluster = "idshop", "" },
	} {
		t.Run("depends on the "+name, func(t *testing.T) {
			t.Parallel()
			other := layout
			change(&other)
			require.NotEqual(t, layout.Hash(), other.Hash())
		})
	}
}

func TestDecodeLayout(t *testing.T) {
	t.Parallel()
	layout := events.Layout{
		Epoch: 1, LedgerID: "id", Cluster: "shop", Format: events.LayoutFormat, Partitioner: events.PartitionerMurmur2, Lanes: 12,
	}
	value, err := layout.Marshal(time.Now())
	require.NoError(t, err)
	got, err := events.DecodeLayout(value)
	require.NoError(t, err)
	require.Equal(t, layout, got)
	for _, bad := range [][]byte{nil, []byte("text"), value[:4]} {
		_, err := events.DecodeLayout(bad)
		require.ErrorIs(t, err, events.ErrUndecodable)
	}
}
