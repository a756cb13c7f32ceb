package projections_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/projections"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestStateRows(t *testing.T) {
	t.Parallel()
	story := eventstest.Story(3, eventstest.Start)
	full := eventstest.Event(events.TypeReturnCreated).After
	// The generated returns and clocks name other items than those of the state; point them at these.
	full.Returns[0].OrderItemId = full.Items[0].OrderItemId
	full.Returns[0].Status = ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED
	for name, s := range map[string]*ledgerv1.Shipment{"created": story[0].After, "completed": story[7].After, "full": full, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, map[string]any{
				"shipment": projections.Shipment(s),
				"items":    projections.AppendItems(nil, s),
				"services": projections.AppendServices(nil, s),
				"returns":  projections.AppendReturns(nil, s),
				"clocks":   projections.AppendClocks(nil, s),
			})
		})
	}
}

func golden(t *testing.T, name string, rows any) {
	t.Helper()
	got, err := json.MarshalIndent(rows, "", "  ")
	require.NoError(t, err)
	got = append(got, '\n')
	path := filepath.Join("testdata", "golden", name+".json")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "rows changed: raise projections.Version, and run with -update")
}

func TestEventRow(t *testing.T) {
	t.Parallel()
	lane := eventstest.NewLane(4)
	story := eventstest.Story(1, eventstest.Start)
	var r eventstest.Rec
	for _, e := range story[:6] {
		r = lane.Event(e)
	}
	var row projections.EventRow
	require.NoError(t, row.Read(4, 99, r.Record()))
	after := story[5].After
	require.EqualValues(t, 4, row.Lane)
	require.EqualValues(t, 99, row.Offset)
	require.EqualValues(t, 6, row.LaneSeq)
	require.Equal(t, "ShipmentShipped", row.EventType)
	require.Equal(t, after.ShipmentId, string(row.ShipmentID))
	require.Equal(t, after.OrderId, string(row.OrderID))
	require.Equal(t, "PICKUP_COMPLETE", row.FromStatus)
	require.Equal(t, "SHIPPED", row.ToStatus)
	require.Equal(t, lane.Events.Head, row.ChainHash)
	require.EqualValues(t, r.At.UnixMilli(), row.Recorded)
	require.Equal(t, row.Recorded, row.Decided)
	require.Equal(t, 202603, projections.Month(row.Recorded))

	lane.Ahead = time.Hour
	r = lane.Event(story[6])
	require.NoError(t, row.Read(4, 100, r.Record()))
	require.EqualValues(t, r.At.UnixMilli(), row.Recorded)
	require.EqualValues(t, r.At.Add(-time.Hour).UnixMilli(), row.Decided)

	bare := &events.Record{Key: []byte(r.Key), Timestamp: r.At, Headers: r.Headers}
	require.ErrorIs(t, row.Read(4, 99, bare), events.ErrUndecodable)
	require.Empty(t, projections.Shipment(&ledgerv1.Shipment{}).Status)
	require.Equal(t, "77", projections.Shipment(&ledgerv1.Shipment{Status: 77}).Status, "a status of a later version")
}

func TestTimeOutOfRangeIsUnknown(t *testing.T) {
	t.Parallel()
	for _, seconds := range []int64{math.MinInt64, -62135596800, -2208988801, 10413792000, 253402300799, math.MaxInt64} {
		s := &ledgerv1.Shipment{DispatchBy: &timestamppb.Timestamp{Seconds: seconds}}
		require.Equal(t, projections.Unknown, projections.Shipment(s).DispatchBy, seconds)
	}
	s := &ledgerv1.Shipment{DispatchBy: timestamppb.New(time.Date(2299, 12, 31, 23, 59, 59, 999e6, time.UTC))}
	require.EqualValues(t, 10413791999999, projections.Shipment(s).DispatchBy)
}

// TestMigrationsAreRepeatable checks that running a migration again does no harm: after a crash between its statements
// and the record of it, it runs again.
func TestMigrationsAreRepeatable(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(projections.Migrations(), "*.sql")
	require.NoError(t, err)
	for i, name := range names {
		require.True(t, strings.HasPrefix(name, fmt.Sprintf("%04d_", i+1)), "%s: numbers have no gaps", name)
		text, err := fs.ReadFile(projections.Migrations(), name)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "CREATE TABLE") {
				require.True(t, strings.HasPrefix(line, "CREATE TABLE IF NOT EXISTS"), "%s: %s", name, line)
			}
			if strings.HasPrefix(line, "CREATE") && strings.Contains(line, "VIEW") {
				require.True(t, strings.HasPrefix(line, "CREATE OR REPLACE VIEW"), "%s: %s", name, line)
			}
		}
	}
}

// More units may be reported in returns than there are; the sum stays within those shipped.
func TestUnitsReturnedAreCapped(t *testing.T) {
	t.Parallel()
	s := &ledgerv1.Shipment{
		Items: []*ledgerv1.Item{{OrderItemId: "i1", Ordered: 2, Shipped: 2}},
		Returns: []*ledgerv1.Return{
			{OrderItemId: "i1", Units: 5, Status: ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED},
			{OrderItemId: "i1", Units: math.MaxUint32, Status: ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED},
		},
	}
	require.EqualValues(t, 2, projections.AppendItems(nil, s)[0].Returned)
	require.EqualValues(t, 5, projections.AppendReturns(nil, s)[0].Units, "the reported number is kept")
}

// A step that nobody reported has no time in the tables, but the latest time that it can have had.
func TestUnreportedTimesAreNull(t *testing.T) {
	t.Parallel()
	at := func(c ledgerv1.Certainty) *ledgerv1.Moment {
		return &ledgerv1.Moment{At: timestamppb.New(time.UnixMilli(1000)), Certainty: c}
	}
	s := &ledgerv1.Shipment{Times: &ledgerv1.Times{
		Packed:    at(ledgerv1.Certainty_CERTAINTY_INFERRED),
		Shipped:   at(ledgerv1.Certainty_CERTAINTY_UNSPECIFIED),
		Delivered: at(ledgerv1.Certainty_CERTAINTY_ASSUMED),
	}}
	row := projections.Shipment(s)
	require.Equal(t, projections.Unknown, row.Packed)
	require.EqualValues(t, 1000, row.PackedLatest)
	require.EqualValues(t, 1000, row.Shipped)
	require.Equal(t, projections.Unknown, row.ShippedLatest)
	require.EqualValues(t, 1000, row.Delivered, "the time of the command, which named none")
	require.Equal(t, projections.Unknown, row.Ready)
	require.Equal(t, projections.Unknown, row.ReadyLatest)
}
