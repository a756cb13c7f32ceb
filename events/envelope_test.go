package events_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
)

func TestEnvelopeRoundTrip(t *testing.T) {
	t.Parallel()
	full := eventstest.Envelope(events.TypeItemsCancelled)
	full.ChainHash = events.Hash{9, 8, 7}
	bare := events.Envelope{
		ID: "x/1", Type: events.TypeShipmentCreated, ShipmentID: "x", Version: 1,
		OccurredAt: eventstest.Start, DecidedAt: eventstest.Start, RecordedAt: eventstest.Start,
		DecisionEvents: 1, DecisionEvent: 1, InboxOffset: events.NoInboxOffset,
	}
	zero := bare
	zero.InboxOffset = 0
	late := bare
	late.OccurredAt = bare.RecordedAt.Add(-time.Hour)
	late.DecidedAt = bare.RecordedAt.Add(-time.Minute)
	proxy := full
	proxy.AuthID = "another seller"
	// What the first event of a decision says is not repeated.
	second := full
	second.DecisionEvent, second.InputType, second.InputKey, second.InputHash = 2, "", "", events.Hash{}
	second.InboxOffset, second.DecisionSeq, second.DecisionRow = events.NoInboxOffset, 0, false
	for name, e := range map[string]events.Envelope{
		"full": full, "bare": bare, "at the first inbox offset": zero, "happened before": late,
		"by another seller": proxy, "the second event of a decision": second,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := recordOf(e)
			got, err := events.DecodeEnvelope(r)
			require.NoError(t, err)
			require.Equal(t, e, got)
			// The order does not matter, and neither do headers of others in between.
			slices.Reverse(r.Headers)
			r.Headers = append([]events.Header{{Key: "x-other", Value: []byte{0xff}}}, r.Headers...)
			got, err = events.DecodeEnvelope(r)
			require.NoError(t, err)
			require.Equal(t, e, got)
		})
	}
}

// recordOf returns a record with this envelope and no value.
func recordOf(e events.Envelope) *events.Record {
	return &events.Record{
		Key: []byte(e.ShipmentID), Timestamp: e.RecordedAt, Headers: e.AppendUnchained(e.AppendHeaders(nil)),
	}
}

// A header that repeated the key, the timestamp or another header would cost every record of the ledger.
func TestEnvelopeHeadersRepeatNothing(t *testing.T) {
	t.Parallel()
	e := events.Envelope{
		ID: events.EventID("s", 7), Type: events.TypeShipmentHeld, Source: "/orderledger/x", ShipmentID: "s", Version: 7,
		LaneSeq: 9, SellerID: "v", AuthType: events.AuthSeller, AuthID: "v", DecisionEvents: 1, DecisionEvent: 1,
		OccurredAt: eventstest.Start, DecidedAt: eventstest.Start, RecordedAt: eventstest.Start, InboxOffset: 3,
		InputKey: "k", InputType: "command.hold", InputHash: events.Hash{1}, DecisionSeq: 4,
	}
	var keys []string
	for _, h := range e.AppendHeaders(nil) {
		keys = append(keys, h.Key)
	}
	require.Equal(t, []string{
		"ce_authtype", "ce_dataschema", "ce_decisionseq", "ce_id", "ce_inboxoffset", "ce_inputhash", "ce_inputkey",
		"ce_inputtype", "ce_laneseq", "ce_sellerid", "ce_source", "ce_specversion", "ce_type", "content-type",
	}, keys)
}

// The id of an event names its key, so neither can be exchanged alone.
func TestDecodeEnvelopeRefusesAnotherKey(t *testing.T) {
	t.Parallel()
	for id, key := range map[string]string{
		"a/1": "b", "a/b/1": "a", "/1": "", "a/": "a", "a/0": "a", "a/x": "a", "a1": "a", "a//1": "a", "1": "1",
	} {
		e := eventstest.Envelope(events.TypeShipmentHeld)
		e.ID, e.ShipmentID = id, key
		_, err := events.DecodeEnvelope(recordOf(e))
		require.ErrorIs(t, err, events.ErrUndecodable, "%s under %q", id, key)
		require.ErrorContains(t, err, events.HeaderID)
		require.ErrorIs(t, new(events.View).Read(recordOf(e)), events.ErrUndecodable)
	}
	e := eventstest.Envelope(events.TypeShipmentHeld)
	e.ShipmentID, e.Version = "a/2", 1
	e.ID = events.EventID("a/2", 1)
	got, err := events.DecodeEnvelope(recordOf(e))
	require.NoError(t, err, "a shipment id may hold any character")
	require.EqualValues(t, 1, got.Version)
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
		events.HeaderLaneSeq, events.HeaderInboxOffset, events.HeaderTime, events.HeaderDecidedAt, events.HeaderDecisionSeq,
		events.HeaderDecisionEvent, events.HeaderDecisionEvents, events.HeaderInputHash, events.HeaderChainHash,
	}
	var headers []events.Header
	for _, key := range bad {
		headers = append(headers, events.Header{Key: key, Value: []byte("nonsense")})
	}
	r := &events.Record{Headers: headers}
	_, err := events.DecodeEnvelope(r)
	require.ErrorIs(t, err, events.ErrUndecodable)
	for _, key := range bad {
		require.ErrorContains(t, err, key)
	}
	require.ErrorIs(t, new(events.View).Read(r), events.ErrUndecodable)
}

// Numbers above 63 bits and impossible days are refused.
func TestDecodeEnvelopeBounds(t *testing.T) {
	t.Parallel()
	e := eventstest.Envelope(events.TypeShipmentHeld)
	good := recordOf(e)
	for key, values := range map[string][]string{
		events.HeaderLaneSeq:   {"9223372036854775808", "99999999999999999999", "-1", "", "1e3"},
		events.HeaderTime:      {"2026-02-30T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "2026-01-01T24:00:00.000Z", "2026-01-01 00:00:00.000Z", ""},
		events.HeaderInputHash: {strings.Repeat("a", 43), strings.Repeat("a", 44), strings.Repeat("?", 43) + "=", strings.Repeat("a", 64)},
	} {
		for _, v := range values {
			_, err := events.DecodeEnvelope(withHeader(good, key, v))
			require.ErrorIs(t, err, events.ErrUndecodable, "%s %q", key, v)
		}
	}
	for _, v := range []string{"2028-02-29T23:59:59.999Z", "2026-03-31T10:00:00.000Z", "2026-03-31T10:00:00.5+05:30"} {
		_, err := events.DecodeEnvelope(withHeader(good, events.HeaderTime, v))
		require.NoError(t, err, v)
	}
}

// withHeader returns a copy of a record with another value of a header that it has.
func withHeader(r *events.Record, key, value string) *events.Record {
	changed := *r
	changed.Headers = slices.Clone(r.Headers)
	i := slices.IndexFunc(changed.Headers, func(h events.Header) bool { return h.Key == key })
	changed.Headers[i].Value = []byte(value)
	return &changed
}

// Null values and unknown types have errors of their own.
func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	e := eventstest.Envelope(events.TypeShipmentHeld)
	r := recordOf(e)
	for _, value := range [][]byte{nil, {}} {
		r.Value = value
		_, _, err := events.Decode(r)
		require.ErrorIs(t, err, events.ErrNull)
		require.ErrorIs(t, new(events.View).Read(r), events.ErrNull)
	}
	e.Type = "orders.ShipmentTeleported.v2"
	r = recordOf(e)
	r.Value = []byte{0x0a, 0}
	env, _, err := events.Decode(r)
	require.ErrorIs(t, err, events.ErrUnknownType)
	require.ErrorIs(t, err, events.ErrUndecodable)
	require.Equal(t, e.ID, env.ID, "the headers that could be read are returned")
	require.ErrorIs(t, new(events.View).Read(r), events.ErrUnknownType)
	_, _, _, err = events.DecodeDecision(r)
	require.ErrorIs(t, err, events.ErrUnknownType)
}

func TestViewMatchesDecode(t *testing.T) {
	t.Parallel()
	for _, typ := range events.Types() {
		e := eventstest.Event(typ)
		lane := eventstest.NewLane(3)
		sameView(t, lane.Event(e).Record())
		sameView(t, eventstest.Record(eventstest.Envelope(typ), e))
	}
}

// sameView checks that View.Read and Decode accept the same records, and read the same from them.
func sameView(t *testing.T, r *events.Record) {
	t.Helper()
	env, e, err := events.Decode(r)
	var v events.View
	if viewErr := v.Read(r); viewErr != nil {
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
	require.Equal(t, env.DecidedAt, v.DecidedAt)
	require.Equal(t, env.History, v.History)
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
		f.Add(typ, "2026-03-04T05:06:07.000Z", "shipment_id-1/2", value)
	}
	f.Fuzz(func(t *testing.T, typ, occurred, id string, value []byte) {
		headers := []events.Header{
			{Key: events.HeaderID, Value: []byte(id)},
			{Key: events.HeaderType, Value: []byte(typ)},
			{Key: events.HeaderTime, Value: []byte(occurred)},
			{Key: events.HeaderInputHash, Value: value},
		}
		for _, h := range [][]events.Header{headers, headers[:3]} {
			r := &events.Record{Key: []byte("shipment_id-1"), Timestamp: eventstest.Start, Headers: h, Value: value}
			if _, _, _, err := events.DecodeDecision(r); err != nil {
				require.ErrorIs(t, err, events.ErrUndecodable)
			}
			if _, _, err := events.Decode(r); err != nil {
				require.ErrorIs(t, err, events.ErrUndecodable)
			}
			v := events.Verifier{Topic: events.TopicEvents, Lanes: 1}
			_, _ = v.Next(r) // It must not panic.
		}
	})
}
