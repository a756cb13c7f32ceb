package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// readTopic returns every committed record of a topic, partition by partition in order.
func readTopic(t testing.TB, brokers, topic string) map[int32][]*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	require.NoError(t, err)
	open := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			open[o.Partition] = o.Offset
		}
	})
	got := map[int32][]*kgo.Record{}
	for len(open) > 0 {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err0(), "read %s", topic)
		for r := range fetches.RecordsAll() {
			if !r.Attrs.IsControl() {
				got[r.Partition] = append(got[r.Partition], r)
			}
			if end, ok := open[r.Partition]; ok && r.Offset+1 >= end {
				delete(open, r.Partition)
			}
		}
	}
	return got
}

// readLayout returns the layout of the ledger.
func readLayout(t testing.TB, brokers string) events.Layout {
	t.Helper()
	records := readTopic(t, brokers, events.TopicLayout)[0]
	require.NotEmpty(t, records, "the ledger has a layout")
	layout, err := events.DecodeLayout(records[0].Value)
	require.NoError(t, err)
	return layout
}

// verifier returns the verifier of a lane at its beginning.
func verifier(layout *events.Layout, topic string, lane int32) *events.Verifier {
	return &events.Verifier{
		Topic: topic, Lane: lane, Lanes: int(layout.Lanes), Chain: events.ChainStart(layout.Hash(), topic, lane),
	}
}

// requireWholeLedger reads the ledger as an auditor would: every chain is whole, laneseq and versions are dense, every
// state is the fold of its events, and every input has one final decision. It returns the last state of each shipment.
func requireWholeLedger(t testing.TB, brokers string) map[string]*ledgerv1.Shipment {
	t.Helper()
	states := map[string]*ledgerv1.Shipment{}
	layout := readLayout(t, brokers)
	for lane, records := range readTopic(t, brokers, events.TopicEvents) {
		v := verifier(&layout, events.TopicEvents, lane)
		for _, r := range records {
			env, event, err := events.Decode(kafka.EventRecord(r))
			require.NoError(t, err)
			_, err = v.Next(kafka.EventRecord(r))
			require.NoError(t, err, "lane %d at %d", lane, env.LaneSeq)
			before := states[env.ShipmentID]
			require.Equal(t, before.GetVersion()+1, env.Version, "versions of %s are dense", env.ShipmentID)
			require.True(t, shipment.Evolve(before, event).EqualVT(event.GetAfter()), "%s is the fold of its events", env.ID)
			states[env.ShipmentID] = event.GetAfter()
		}
	}
	requireDecisions(t, brokers)
	return states
}

// decided is one decision in the log.
type decided struct {
	offset   int64
	envelope events.Envelope
	decision *ledgerv1.Decision
}

// requireDecisions checks the chain of the decisions and that no input was decided twice. It returns the valid
// decisions.
func requireDecisions(t testing.TB, brokers string) []decided {
	t.Helper()
	var all []decided
	layout := readLayout(t, brokers)
	for lane, records := range readTopic(t, brokers, events.TopicDecisions) {
		verify := verifier(&layout, events.TopicDecisions, lane)
		var lanes []decided
		void := map[int64]bool{}
		for _, r := range records {
			env, d, voided, err := events.DecodeDecision(kafka.EventRecord(r))
			require.NoError(t, err)
			_, err = verify.Next(kafka.EventRecord(r))
			require.NoError(t, err, "decisions of lane %d at %d", lane, env.LaneSeq)
			if voided != nil {
				for o := voided.GetFirstOffset(); o <= voided.GetLastOffset(); o++ {
					void[o] = true
				}
				continue
			}
			lanes = append(lanes, decided{r.Offset, env, d})
		}
		lanes = slices.DeleteFunc(lanes, func(d decided) bool { return void[d.offset] })
		requireDecidedOnce(t, lane, lanes)
		all = append(all, lanes...)
	}
	return all
}

// requireDecidedOnce requires that every inbox record has one decision, or two if it waited.
func requireDecidedOnce(t testing.TB, lane int32, decisions []decided) {
	t.Helper()
	seen := map[int64]*ledgerv1.Decision{}
	for _, d := range decisions {
		if d.decision.InboxOffset == nil {
			continue
		}
		offset := d.decision.GetInboxOffset()
		if before := seen[offset]; before != nil {
			require.True(t, maySecondDecisionFollow(before) && d.decision.GetWaited(), "lane %d inbox offset %d was decided twice: %v, then %v", lane, offset, before, d.decision)
		}
		seen[offset] = d.decision
	}
}

// requireTablesEqualLedger compares the tables with the ledger, row by row.
func requireTablesEqualLedger(t testing.TB, s *stack) {
	t.Helper()
	states := requireWholeLedger(t, s.kafka)
	rows, err := s.sql().Query(t.Context(), "SELECT shipment_id, toString(status), toUInt64(version), toUInt64(units_ordered), toUInt64(units_cancelled) FROM orderledger.shipments")
	require.NoError(t, err)
	defer rows.Close()
	n := 0
	for rows.Next() {
		var id, status string
		var version, ordered, cancelled uint64
		require.NoError(t, rows.Scan(&id, &status, &version, &ordered, &cancelled))
		state := states[id]
		require.NotNil(t, state, "row of %s without events", id)
		var wantOrdered, wantCancelled uint64
		for _, item := range state.GetItems() {
			wantOrdered += uint64(item.GetOrdered())
			wantCancelled += uint64(cancelledUnits(item))
		}
		require.Equal(t, []any{"STATUS_" + status, version, ordered, cancelled}, []any{state.GetStatus().String(), state.GetVersion(), wantOrdered, wantCancelled}, id)
		n++
	}
	require.NoError(t, rows.Err())
	require.Len(t, states, n, "every shipment has its row")
	total := 0
	for _, records := range readTopic(t, s.kafka, events.TopicEvents) {
		total += len(records)
	}
	require.Equal(t, total, count(t, s.sql(), "SELECT count() FROM orderledger.events"), "every event has its row, once")
	require.Equal(t, total, count(t, s.sql(), "SELECT uniqExact(lane, offset) FROM orderledger.events"))
}

// maySecondDecisionFollow reports whether an input with this decision may be decided once more, when its shipment is
// created.
func maySecondDecisionFollow(first *ledgerv1.Decision) bool {
	outcome := first.GetOutcome()
	return outcome == ledgerv1.Outcome_OUTCOME_WAITING || outcome == ledgerv1.Outcome_OUTCOME_QUARANTINED
}

// cancelledUnits sums the units of an item that anybody cancelled. The services' own sum is what these tests check.
func cancelledUnits(i *ledgerv1.Item) uint32 {
	return i.GetCancelledSeller() + i.GetCancelledCustomer() + i.GetCancelledMarketplace() + i.GetCancelledUnknown()
}
