package journal

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/orderledger/orderledger/events"
)

// Headers are byte for byte those of the envelope.
func TestHeadersMatchEnvelope(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.String())
		at := rapid.Custom(func(t *rapid.T) time.Time {
			return time.UnixMilli(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, "ms")).UTC()
		})
		e := events.Envelope{
			ID: text.Draw(t, "id"), Type: text.Draw(t, "type"), Source: rapid.StringN(1, 20, -1).Draw(t, "source"),
			ShipmentID: text.Draw(t, "shipment"), Version: rapid.Uint64().Draw(t, "version"), LaneSeq: rapid.Uint64().Draw(t, "laneseq"),
			OccurredAt: at.Draw(t, "occurred"), RecordedAt: at.Draw(t, "recorded"),
			AuthType: text.Draw(t, "auth type"), AuthID: text.Draw(t, "auth"), CorrelationID: text.Draw(t, "correlation"),
			CausationID: text.Draw(t, "causation"), InputKey: text.Draw(t, "key"), TraceParent: text.Draw(t, "trace"),
			InboxOffset: rapid.Int64Min(-1).Draw(t, "offset"),
		}
		if rapid.Bool().Draw(t, "same time") {
			e.OccurredAt = e.RecordedAt
		}
		if rapid.Bool().Draw(t, "hash") {
			e.InputHash[3] = 7
		}
		e.ChainHash[0] = 1
		var (
			h headers
			a arena
		)
		h.begin(&a, e.Source, e.RecordedAt)
		require.Equal(t, e.AppendHeaders(nil), h.chained(nil, &e))
		require.Equal(t, e.AppendUnchained(nil), h.unchained(nil, &e))
	})
}
