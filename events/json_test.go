package events_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestAppendJSONMatchesProtojson(t *testing.T) {
	t.Parallel()
	for _, typ := range events.Types() {
		t.Run(events.ShortType(typ), func(t *testing.T) {
			t.Parallel()
			e := eventstest.Event(typ)
			require.NotNil(t, e)
			sameAsProtojson(t, typ, e)
		})
	}
	for _, e := range eventstest.Story(3, eventstest.Start) {
		sameAsProtojson(t, events.TypeOf(e), e)
	}
	sameAsProtojson(t, events.TypeDecision, eventstest.Decision())
	sameAsProtojson(t, events.TypeDecisionsVoided, &ledgerv1.DecisionsVoided{FirstOffset: 1 << 60, LastOffset: -1, Reason: "a\"\\\n\x01\u2028é😀"})
	empty := &ledgerv1.Event_ShipmentHeld{ShipmentHeld: &ledgerv1.ShipmentHeld{}}
	sameAsProtojson(t, events.TypeShipmentHeld, &ledgerv1.Event{Body: empty})
}

func sameAsProtojson(t *testing.T, typ string, m proto.Message) {
	t.Helper()
	want, err := protojson.Marshal(m)
	require.NoError(t, err)
	for name, marshal := range map[string]func() ([]byte, error){
		"vt":       m.(interface{ MarshalVT() ([]byte, error) }).MarshalVT,
		"protobuf": func() ([]byte, error) { return proto.Marshal(m) },
	} {
		body, err := marshal()
		require.NoError(t, err)
		got, err := events.AppendJSON([]byte("before"), typ, body)
		require.NoError(t, err, name)
		require.Equal(t, "before", string(got[:6]))
		require.JSONEq(t, string(want), string(got[6:]), name)
	}
}

func TestAppendJSONReordersFields(t *testing.T) {
	t.Parallel()
	e := eventstest.Event(events.TypeShipmentCreated)
	body, err := proto.Marshal(e)
	require.NoError(t, err)
	// The state comes in two pieces with the transition between them, and the second overrules the first. An older body
	// precedes both, and fields of a later version stand between them.
	older := &ledgerv1.Event{Body: &ledgerv1.Event_ShipmentHeld{ShipmentHeld: &ledgerv1.ShipmentHeld{}}, After: &ledgerv1.Shipment{ShipmentId: "old"}}
	scattered, err := proto.Marshal(older)
	require.NoError(t, err)
	scattered = append(scattered, body...)
	scattered = protowire.AppendTag(scattered, 9999, protowire.BytesType)
	scattered = protowire.AppendString(scattered, "later")
	scattered = protowire.AppendTag(scattered, 60, protowire.VarintType)
	scattered = protowire.AppendVarint(scattered, 1)
	var merged ledgerv1.Event
	require.NoError(t, merged.UnmarshalVT(scattered))
	want, err := protojson.Marshal(&merged)
	require.NoError(t, err)
	got, err := events.AppendJSON(nil, events.TypeShipmentCreated, scattered)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))
}

// Values that no writer of the ledger makes are shown, not refused.
func TestAppendJSONOfForeignValues(t *testing.T) {
	t.Parallel()
	e := eventstest.Event(events.TypeShipmentCreated)
	e.After.OrderId = "bad \xff\xfe text"
	e.After.UpdatedAt.Seconds = 1 << 60
	e.After.Status = 99
	body, err := e.MarshalVT()
	require.NoError(t, err)
	got, err := events.AppendJSON(nil, events.TypeShipmentCreated, body)
	require.NoError(t, err)
	var shown struct {
		After struct {
			OrderID   string  `json:"orderId"`
			UpdatedAt *string `json:"updatedAt"`
			Status    int     `json:"status"`
		} `json:"after"`
	}
	require.NoError(t, json.Unmarshal(got, &shown))
	require.Equal(t, "bad \ufffd\ufffd text", shown.After.OrderID)
	require.Nil(t, shown.After.UpdatedAt)
	require.Equal(t, 99, shown.After.Status)
}

// An error leaves the buffer as it was.
func TestAppendJSONErrors(t *testing.T) {
	t.Parallel()
	dst := []byte("kept")
	for name, body := range map[string][]byte{
		"truncated":  {0x0a, 0x7f, 1},
		"wrong wire": {0x08, 1},
		"tag zero":   {0x02, 0},
		"varint":     {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	} {
		got, err := events.AppendJSON(dst, events.TypeShipmentHeld, body)
		require.ErrorIs(t, err, events.ErrUndecodable, name)
		require.Equal(t, "kept", string(got))
	}
	_, err := events.AppendJSON(nil, "orders.Unheard.v1", nil)
	require.ErrorIs(t, err, events.ErrUnknownType)
}

//nolint:paralleltest // Counting allocations must not run beside others.
func TestAppendJSONAllocatesNothing(t *testing.T) {
	body, err := eventstest.Event(events.TypeShipmentCreated).MarshalVT()
	require.NoError(t, err)
	dst := make([]byte, 0, 1<<16)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := events.AppendJSON(dst, events.TypeShipmentCreated, body); err != nil {
			panic(err)
		}
	}))
}

func FuzzAppendJSON(f *testing.F) {
	for _, typ := range events.Types() {
		body, err := eventstest.Event(typ).MarshalVT()
		require.NoError(f, err)
		f.Add(typ, body)
	}
	d, err := eventstest.Decision().MarshalVT()
	require.NoError(f, err)
	f.Add(events.TypeDecision, d)
	f.Fuzz(func(t *testing.T, typ string, body []byte) {
		got, err := events.AppendJSON(nil, typ, body)
		if err != nil {
			require.ErrorIs(t, err, events.ErrUndecodable)
			return
		}
		require.True(t, json.Valid(got), "%s", got)
		var m proto.Message = new(ledgerv1.Event)
		switch typ {
		case events.TypeDecision:
			m = new(ledgerv1.Decision)
		case events.TypeDecisionsVoided:
			m = new(ledgerv1.DecisionsVoided)
		}
		// There is nothing to compare with if protojson refuses the bytes (bad UTF-8, times out of range) or reads them
		// otherwise.
		if proto.Unmarshal(body, m) != nil {
			return
		}
		want, err := protojson.Marshal(m)
		if err != nil {
			return
		}
		var a, b any
		require.NoError(t, json.Unmarshal(want, &a))
		require.NoError(t, json.Unmarshal(got, &b))
		require.Equal(t, a, b)
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	story := eventstest.Story(1, eventstest.Start)
	e := story[5]
	body, err := e.MarshalVT()
	require.NoError(b, err)
	dst := make([]byte, 0, 1<<16)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := events.AppendJSON(dst, events.TypeOf(e), body); err != nil {
			b.Fatal(err)
		}
	}
}
