package ingest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// An item may be of several shipments, as a return is, and each of them has a result.
func TestItemOutcomeOfSeveralShipments(t *testing.T) {
	t.Parallel()
	accepted := peer.Result{Receipt: journal.Receipt{Outcome: ledgerv1.Outcome_OUTCOME_ACCEPTED}}
	refused := peer.Result{Receipt: journal.Receipt{
		Outcome: ledgerv1.Outcome_OUTCOME_REJECTED, Reason: shipment.CodeInvalidReturn,
	}}
	missing := peer.Result{Err: fmt.Errorf("lane 3: %w", journal.ErrNotOwner)}
	inDoubt := peer.Result{Err: fmt.Errorf("lane 3: %w", journal.ErrInDoubt)}
	for name, tc := range map[string]struct {
		results []peer.Result
		code    shipment.Code
	}{
		"all accepted":              {[]peer.Result{accepted, accepted}, ""},
		"one refused":               {[]peer.Result{accepted, refused}, shipment.CodeInvalidReturn},
		"none stored":               {[]peer.Result{missing, missing}, httpx.CodeUnavailable},
		"one refused, one missing":  {[]peer.Result{missing, refused}, shipment.CodeInvalidReturn},
		"one accepted, one missing": {[]peer.Result{accepted, missing}, codeInDoubt},
		"one refused, one in doubt": {[]peer.Result{refused, inDoubt}, codeInDoubt},
		"one missing, one in doubt": {[]peer.Result{missing, inDoubt}, codeInDoubt},
	} {
		var o itemOutcome
		for _, r := range tc.results {
			o.add(r)
		}
		code, message := o.code()
		require.Equal(t, tc.code, code, name)
		require.Equal(t, code == "" || code == shipment.CodeInvalidReturn, message == "", name)
	}
}

// The keys are in the ledger: a repeat after an upgrade must find its first answer by the same key.
func TestCommandKeyNamesItem(t *testing.T) {
	t.Parallel()
	ofShipments := marketplace.Action{Subject: marketplace.SubjectShipment}
	for _, tc := range []struct {
		seller, key string
		action      marketplace.Action
		id, want    string
	}{
		{"s1", "k1", ofShipments, "S1", "seller/s1/k1"},
		{"s2", "k1", ofShipments, "S1", "seller/s2/k1"},
		{"s1", "k1", marketplace.Action{Subject: marketplace.SubjectReturn}, "R1", "seller/s1/k1/R1"},
		{"s1", "k1", marketplace.Action{Subject: marketplace.SubjectReturn}, "R2", "seller/s1/k1/R2"},
		{"s1", "k1", marketplace.Action{Subject: marketplace.SubjectService}, "V1", "seller/s1/k1/V1"},
		{"s1", "", ofShipments, "S1", ""},
		{"s1", "", marketplace.Action{Subject: marketplace.SubjectReturn}, "R1", ""},
	} {
		require.Equal(t, tc.want, commandKey(tc.seller, tc.key, tc.action, marketplace.Command{ID: tc.id}))
	}
}
