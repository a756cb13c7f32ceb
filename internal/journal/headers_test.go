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
		ceType := rapid.SampledFrom([]string{
			"", events.TypeShipmentHeld, "orders.Later.v7", events.TypeDecision, events.TypeDecisionsVoided,
		})
		number := rapid.SampledFrom([]int{0, 1, 2, 12})
		at := rapid.Custom(func(t *rapid.T) time.Time {
			return time.UnixMilli(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, "ms")).UTC()
		})
		e := events.Envelope{
			ID: text.Draw(t, "id"), Type: ceType.Draw(t, "type"), Source: rapid.StringN(1, 20, -1).Draw(t, "source"),
			ShipmentID: text.Draw(t, "shipment"), LaneSeq: rapid.Uint64().Draw(t, "laneseq"),
			OccurredAt: at.Draw(t, "occurred"), DecidedAt: at.Draw(t, "decided"), RecordedAt: at.Draw(t, "recorded"),
			SellerID: text.Draw(t, "seller"), LocationID: text.Draw(t, "location"),
			AuthType: rapid.OneOf(text, rapid.Just(events.AuthSeller)).Draw(t, "auth type"), AuthID: text.Draw(t, "auth"), CorrelationID: text.Draw(t, "correlation"),
			CausationID: text.Draw(t, "causation"), InputKey: text.Draw(t, "key"), TraceParent: text.Draw(t, "trace"),
			InputType: text.Draw(t, "input type"), InboxOffset: rapid.Int64Min(-1).Draw(t, "offset"),
			History: rapid.Bool().Draw(t, "history"), DecisionRow: rapid.Bool().Draw(t, "row"),
			DecisionEvents: number.Draw(t, "events"), DecisionEvent: number.Draw(t, "event"),
			DecisionSeq: uint64(number.Draw(t, "decision")),
		}
		if rapid.Bool().Draw(t, "same time") {
			e.OccurredAt = e.RecordedAt
		}
		if rapid.Bool().Draw(t, "decided when recorded") {
			e.DecidedAt = e.RecordedAt
		}
		if rapid.Bool().Draw(t, "by the seller") {
			e.AuthID = e.SellerID
		}
		if rapid.Bool().Draw(t, "hash") {
			e.InputHash[3] = 7
		}
		e.ChainHash[0] = 1
		var (
			h headers
			a arena
		)
		h.begin(&a, e.Source)
		require.Equal(t, e.AppendHeaders(nil), h.chained(nil, &e))
		require.Equal(t, e.AppendUnchained(nil), h.unchained(nil, &e))
	})
}
