package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRealHistories imports real histories, twice. The tables show the figures that were counted without this program.
func TestRealHistories(t *testing.T) {
	dir := olist(t)
	s := newStack(t)
	result := importOlist(t, s, dir)
	require.Equal(t, 19565, result.Accepted)
	conn := s.sql()
	requireFigures(t, conn, dir)
	requirePushes(t, s)
	requireWholeLedger(t, s.kafka)
	requireTablesEqualLedger(t, s)

	const early = "SELECT uniqExact(input_key) FROM orderledger.decisions WHERE outcome = 'applied' AND waited"
	const waiting = "SELECT uniqExact(input_key) FROM orderledger.decisions WHERE outcome = 'waiting'"
	require.Positive(t, count(t, conn, waiting), "some notifications arrive before their shipment's")
	require.Equal(t, count(t, conn, waiting), count(t, conn, early), "and each of those was applied when the shipment was created")

	events := count(t, conn, "SELECT count() FROM orderledger.events")
	requests := s.receiver.Distinct()
	importOlist(t, s, dir)
	requireFigures(t, conn, dir)
	require.Equal(t, events, count(t, conn, "SELECT count() FROM orderledger.events"), "the second import changes nothing")
	require.Equal(t, 19565, count(t, conn, "SELECT count() FROM orderledger.decisions WHERE outcome = 'duplicate'"), "but decisions, which are all duplicate")
	require.Equal(t, requests, s.receiver.Distinct())

	s.stop()
	s.start()
	requireFigures(t, s.sql(), dir)
}
