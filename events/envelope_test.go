package events_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
)

func TestEnvelopeRoundTrip(t *testing.T) {
	t.Parallel()
	full := eventstest.Envelope(events.TypeItemsCancelled)
	full.ChainHash = events.Hash{9, 8, 7}
	bare := events.Envelope{
		ID: "x/1", Type: events.TypeShipmentCreated, RecordedAt: eventstest.Start, InboxOffset: events.NoInboxOffset,
	}
	zero := bare
	zero.InboxOffset = 0
	for name, e := range map[string]events.Envelope{"full": full, "bare": bare, "at the first inbox offset": zero} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers := e.AppendUnchained(e.AppendHeaders(nil))
			got, err := events.DecodeEnvelope(headers)
			require.NoError(t, err)
			require.Equal(t, e, got)
			// The order does not matter, and neither do headers of others in between.
			slices.Reverse(headers)
			headers = append([]events.Header{{Key: "x-other", Value: []byte{0xff}}}, headers...)
			got, err = events.DecodeEnvelope(headers)
			require.NoError(t, err)
			require.Equal(t, e, got)
		})
	}
}

func TestEnvelopeHeadersAreSorted(t *testing.T) {
	t.Parallel()
	e := eventstest.Envelope(events.TypeShipmentHeld)
	headers := e.AppendHeaders(nil)
	require.True(t, slices.IsSortedFunc(headers, func(a, b events.Header) int { return strings.Compare(a.Key, b.Key) }))
}

func TestDecodeEnvelopeNamesBadHeaders(t *testing.T) {
	t.Parallel()
	bad := []string{
		events.HeaderVersion, events.HeaderLaneSeq, events.HeaderInboxOffset, events.HeaderTime, events.HeaderRecordedTime,
		events.HeaderInputHash, events.HeaderChainHash,
	}
	var headers []events.Header
	for _, key := range bad {
		headers = append(headers, events.Header{Key: key, Value: []byte("nonsense")})
	}
	_, err := events.DecodeEnvelope(headers)
	require.ErrorIs(t, err, events.ErrUndecodable)
	for _, key := range bad {
		require.ErrorContains(t, err, key)
	}
	require.ErrorIs(t, new(events.View).Read(headers, nil), events.ErrUndecodable)
}

// Numbers above 63 bits and impossible days are refused.
func TestDecodeEnvelopeBounds(t *testing.T) {
	t.Parallel()
	e := eventstest.Envelope(events.TypeShipmentHeld)
	good := e.AppendHeaders(nil)
	for key, values := range map[string][]string{
		events.HeaderVersion:      {"9223372036854775808", "99999999999999999999", "-1", "", "1e3"},
		events.HeaderRecordedTime: {"2026-02-30T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "2026-01-01T24:00:00.000Z", "2026-01-01 00:00:00.000Z", ""},
		events.HeaderInputHash:    {strings.Repeat("g", 64), strings.Repeat("a", 63)},
	} {
		for _, v := range values {
			headers := slices.Clone(good)
			i := slices.IndexFunc(headers, func(h events.Header) bool { return h.Key == key })
			headers[i].Value = []byte(v)
			_, err := events.DecodeEnvelope(headers)
			require.ErrorIs(t, err, events.ErrUndecodable, "%s %q", key, v)
		}
	}
	for _, v := range []string{"2028-02-29T23:59:59.999Z", "2026-03-31T10:00:00.000Z", "2026-03-31T10:00:00.5+05:30"} {
		headers := slices.Clone(good)
		i := slices.IndexFunc(headers, func(h events.Header) bool { return h.Key == events.HeaderRecordedTime })
		headers[i].Value = []byte(v)
		_, err := events.DecodeEnvelope(headers)
		require.NoError(t, err, v)
	}
}

// Null values and unknown types have errors of their own.
func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	e := eventstest.Envelope(events.TypeShipmentHeld)
	headers := e.AppendHeaders(nil)
	for _, value := range [][]byte{nil, {}} {
		_, _, err := events.Decode(headers, value)
		require.ErrorIs(t, err, events.ErrNull)
		require.ErrorIs(t, new(events.View).Read(headers, value), events.ErrNull)
	}
	e.Type = "orders.ShipmentTeleported.v2"
	headers = e.AppendHeaders(nil)
	env, _, err := events.Decode(headers, []byte{0x0a, 0})
	require.ErrorIs(t, err, events.ErrUnknownType)
	require.ErrorIs(t, err, events.ErrUndecodable)
	require.Equal(t, e.ID, env.ID, "the headers that could be read are returned")
	require.ErrorIs(t, new(events.View).Read(headers, []byte{0x0a, 0}), events.ErrUnknownType)
	_, _, _, err = events.DecodeDecision(headers, []byte{0x0a, 0})
	require.ErrorIs(t, err, events.ErrUnknownType)
}

func TestViewMatchesDecode(t *testing.T) {
	t.Parallel()
	for _, typ := range events.Types() {
		e := eventstest.Event(typ)
		lane := eventstest.NewLane(3)
		r := lane.Event(e)
		sameView(t, r.Headers, r.Value)
	}
}

// sameView checks that View.Read and Decode accept the same records, and read the same from them.
func sameView(t *testing.T, headers []events.Header, value []byte) {
	t.Helper()
	env, e, err := events.Decode(headers, value)
	var v events.View
	if viewErr := v.Read(headers, value); viewErr != nil {
		require.ErrorIs(t, viewErr, events.ErrUndecodable)
		// A view may be stricter about bodies that no writer makes, but never about headers.
		if errors.Is(viewErr, events.ErrUnknownType) || errors.Is(viewErr, events.ErrNull) {
			require.Error(t, err)
		}
		return
	}
	if err != nil {
		return // A view does not look inside the state; AppendJSON does.
	}
	require.Equal(t, env.ID, string(v.ID))
	require.Equal(t, env.Type, v.Type)
	require.Equal(t, env.ShipmentID, string(v.ShipmentID))
	require.Equal(t, env.Version, v.Version)
	require.Equal(t, env.LaneSeq, v.LaneSeq)
	require.Equal(t, env.OccurredAt, v.OccurredAt)
	require.Equal(t, env.RecordedAt, v.RecordedAt)
	require.Equal(t, env.AuthType+env.AuthID+env.CorrelationID+env.CausationID+env.InputKey,
		string(v.AuthType)+string(v.AuthID)+string(v.CorrelationID)+string(v.CausationID)+string(v.InputKey))
	require.Equal(t, env.ChainHash, v.ChainHash)
	require.Equal(t, e.GetTransition().GetFrom(), v.From)
	require.Equal(t, e.GetTransition().GetTo(), v.To)
	require.Equal(t, e.GetTransition().GetIrregular(), v.Irregular)
	require.Equal(t, e.GetTransition().GetLate(), v.Late)
	require.Equal(t, e.GetAfter().GetOrderId(), string(v.OrderID))
	require.Equal(t, e.GetAfter().GetSellerId(), string(v.SellerID))
	require.Equal(t, e.GetAfter().GetLocationId(), string(v.LocationID))
}

func FuzzDecode(f *testing.F) {
	for _, typ := range goldenTypes() {
		var value []byte
		if e := eventstest.Event(typ); e != nil {
			value, _ = e.MarshalVT()
		} else {
			value, _ = eventstest.Decision().MarshalVT()
		}
		f.Add(typ, "2026-03-04T05:06:07.000Z", "2", value)
	}
	f.Fuzz(func(t *testing.T, typ, recorded, version string, value []byte) {
		headers := []events.Header{
			{Key: events.HeaderID, Value: []byte("shipment_id-1/2")},
			{Key: events.HeaderSubject, Value: []byte("shipment_id-1")},
			{Key: events.HeaderType, Value: []byte(typ)},
			{Key: events.HeaderRecordedTime, Value: []byte(recorded)},
			{Key: events.HeaderVersion, Value: []byte(version)},
			{Key: events.HeaderInputHash, Value: value},
		}
		for _, h := range [][]events.Header{headers, headers[:5]} {
			if _, _, _, err := events.DecodeDecision(h, value); err != nil {
				require.ErrorIs(t, err, events.ErrUndecodable)
			}
			if _, _, err := events.Decode(h, value); err != nil {
				require.ErrorIs(t, err, events.ErrUndecodable)
			}
		}
	})
}
