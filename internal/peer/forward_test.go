package peer

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestForwardRoundTrip(t *testing.T) {
	t.Parallel()
	settings := marketplace.DefaultSettings()
	services := []byte(`{"services":[{"shipmentId":"S1","deliveryDate":"2024-04-05T00:00:00Z"},{"shipmentId":"S2","deliveryDate":"2024-04-05T00:00:00Z"}]}`)
	packing, err := marketplace.EncodePacking(7, &ledgerv1.Packing{InvoiceNumber: "INV-1"})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		forward forward
		at      forwardedCommand
		want    shipment.Input
	}{
		"a service that the router looked up": {
			forward{Action: "service_complete", body: services},
			forwardedCommand{Index: 1, ShipmentID: "S2", ServiceID: "F9"},
			shipment.CompleteService{ServiceID: "F9"},
		},
		"a shipment in the path": {
			forward{Action: marketplace.RouteUpdate, PathID: "S3", body: []byte(`{"tracking_id":"T1"}`)},
			forwardedCommand{ShipmentID: "S3"},
			shipment.UpdateTracking{},
		},
		"documents": {forward{Action: marketplace.RoutePacking, PathID: "S4", body: packing}, forwardedCommand{ShipmentID: "S4"}, shipment.CompletePacking{}},
	} {
		sent, err := marketplace.ReadCall(tc.forward.Action, tc.forward.PathID, tc.forward.body, settings)
		require.NoError(t, err, name)
		hash := sent[tc.at.Index].Hash
		tc.at.Key, tc.at.Hash = "k", hex.EncodeToString(hash[:])
		tc.forward.Commands, tc.forward.TimeoutMillis, tc.forward.SellerID = []forwardedCommand{tc.at}, 1500, "own"
		text, err := tc.forward.encode()
		require.NoError(t, err, name)
		f, err := decodeForward(text)
		require.NoError(t, err, name)
		read, err := marketplace.ReadCall(f.Action, f.PathID, f.body, settings)
		require.NoError(t, err, name)
		got, err := f.command(f.Commands[0], read)
		require.NoError(t, err, name)
		require.IsType(t, tc.want, got.Input, name)
		require.Equal(t, "k", got.Key)
		require.Equal(t, "own", got.SellerID)
		require.Equal(t, tc.at.ShipmentID, got.ShipmentID)
		switch in := got.Input.(type) {
		case shipment.CompleteService:
			require.Equal(t, "F9", in.ServiceID)
		case shipment.UpdateTracking:
			require.Equal(t, "T1", in.Courier.GetTrackingId())
		case shipment.CompletePacking:
			require.Equal(t, uint32(7), in.Revision)
			require.Equal(t, "INV-1", in.Packing.GetInvoiceNumber())
		}
		for says, wrong := range map[string]forwardedCommand{
			"no item":          {Index: len(read), ShipmentID: tc.at.ShipmentID, Hash: tc.at.Hash},
			"another hash":     {Index: tc.at.Index, ShipmentID: tc.at.ShipmentID, Hash: "00"},
			"another shipment": {Index: tc.at.Index, ShipmentID: "X", Hash: tc.at.Hash},
		} {
			_, err := f.command(wrong, read)
			require.ErrorContains(t, err, says, name)
		}
		refused := slices.Clone(read)
		refused[tc.at.Index].Code, refused[tc.at.Index].Message = "INVALID", "not here"
		_, err = f.command(f.Commands[0], refused)
		require.ErrorContains(t, err, "refused here: INVALID: not here", name)
	}
}

func TestResultRoundTrip(t *testing.T) {
	t.Parallel()
	receipt := journal.Receipt{
		ShipmentID: "S1", Version: 3, Lane: 2, Offset: 17, Outcome: ledgerv1.Outcome_OUTCOME_REJECTED,
		Reason: "R", Message: "why", Repeated: true,
	}
	require.Equal(t, journal.Result{Receipt: receipt}, toWire(journal.Result{Receipt: receipt}).result())
	for _, err := range []error{
		journal.ErrNotOwner, journal.ErrLaneMoving, journal.ErrFenced, journal.ErrInDoubt, journal.ErrInvalid,
	} {
		require.ErrorIs(t, toWire(journal.Result{Err: err}).result().Err, err)
	}
	require.ErrorIs(t, toWire(journal.Result{Err: ErrOwnerUnreachable}).result().Err, journal.ErrInDoubt, "an error without a name counts as in doubt")
	require.ErrorIs(t, forwardedResult{Error: "of a newer version"}.result().Err, journal.ErrInDoubt)
}

func FuzzDecodeForward(f *testing.F) {
	good, err := (&forward{Action: "dispatch", TimeoutMillis: 1, Commands: []forwardedCommand{{ShipmentID: "S1"}}, body: []byte(`{"shipmentIds":["S1"]}`)}).encode()
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := decodeForward(data)
		if err != nil {
			return
		}
		read, err := marketplace.ReadCall(in.Action, in.PathID, in.body, marketplace.DefaultSettings())
		for _, at := range in.Commands {
			if c, refused := in.command(at, read); err == nil && refused == nil {
				require.NotNil(t, c.Input, "an accepted item is a command")
			}
		}
	})
}
