package journal

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const (
	applied     = ledgerv1.Outcome_OUTCOME_APPLIED
	rejected    = ledgerv1.Outcome_OUTCOME_REJECTED
	waits       = ledgerv1.Outcome_OUTCOME_WAITING
	quarantined = ledgerv1.Outcome_OUTCOME_QUARANTINED
	duplicate   = ledgerv1.Outcome_OUTCOME_DUPLICATE
)

// outcomes returns the outcomes of the only lane's decisions, in order.
func (k *book) outcomes() (list []ledgerv1.Outcome) {
	for _, d := range k.decisions[0] {
		if !d.void {
			list = append(list, d.GetOutcome())
		}
	}
	return list
}

// No input stops a lane.
func TestDeciderSurvivesEveryInput(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		j := b.start(config(func(c *Config) { c.MaxRecordBytes = 64 << 10 })).ready()
		long := strings.Repeat("x", 100<<10)
		last := b.append(
			note("a", "0", toy{Kind: "create"}),
			note("a", "1", toy{Kind: "panic"}),
			note("a", "2", toy{Kind: "undecodable"}),
			InboxRecord{ShipmentID: "a", Key: "3", Body: []byte("not JSON")},
			InboxRecord{ShipmentID: "a", Key: "4"},
			note("a", "5", toy{Kind: "note", Text: long}),
			note("a", "6", toy{Kind: "crooked"}),
			InboxRecord{ShipmentID: "", Key: "7", Body: toy{Kind: "note"}.body()},
			InboxRecord{ShipmentID: long, Key: "8", Body: toy{Kind: "note"}.body()},
			note("a", strings.Repeat("k", 50<<10), toy{Kind: "note"}),
			note("a", "10", toy{Kind: "note", At: time.Now().AddDate(5, 0, 0)}),
		)
		j.decided(0, last)
		k := b.check()
		require.Equal(t, []ledgerv1.Outcome{
			applied, quarantined, quarantined, quarantined, quarantined, quarantined, quarantined, quarantined, quarantined,
			applied, applied,
		}, k.outcomes())
		reasons := []shipment.Code{
			"", shipment.ReasonFailed, shipment.ReasonBadBody, shipment.ReasonBadBody, shipment.ReasonBadBody, shipment.ReasonTooLarge,
			shipment.ReasonFailed, shipment.ReasonBadID, shipment.ReasonBadID, "", "",
		}
		for i, want := range reasons {
			require.EqualValues(t, want, k.decisions[0][i].GetReason(), "input %d", i)
		}
		require.NotEmpty(t, k.decisions[0][1].GetBody(), "a quarantined input keeps its body")
		require.InDelta(t, 1, counted(j.metrics.tooLarge), 0)

		for kind, want := range map[string]shipment.Code{"panic": shipment.ReasonFailed, "crooked": shipment.ReasonFailed} {
			r := j.mustSubmit(cmd("a", kind, ""))
			require.Equal(t, rejected, r.Outcome)
			require.Equal(t, want, r.Reason)
		}
		require.Equal(t, shipment.ReasonTooLarge, j.mustSubmit(cmd("a", "note", long)).Reason)
		require.EqualValues(t, 4, j.mustSubmit(cmd("a", "note", "fine")).Version)
		odd := Command{ShipmentID: "a", Input: toy{Kind: "note", At: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)}}
		require.EqualValues(t, 5, j.mustSubmit(odd).Version, "a time that no envelope holds")
		b.check()
	})
}

// The largest event that the rules make fits into a record, with the longest ids and keys beside it.
func TestRecordHoldsLargestEvent(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxText)
	in := &input{cause: long, record: InboxRecord{
		ShipmentID: long, Key: long, CorrelationID: long, AuthID: long, TraceParent: long,
	}}
	require.LessOrEqual(t, shipment.MaxEventBytes, DefaultConfig().MaxRecordBytes-new(batch).overhead(in))
}

// The broker takes the largest event that the rules make, and the next owner, whose store is empty, reads it.
func TestLargestEventIsRecorded(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		j := b.start(storeIn(dir)).ready()
		j.mustSubmit(createCmd("a"))
		text := strings.Repeat("x", shipment.MaxEventBytes-100)
		require.Equal(t, ledgerv1.Outcome_OUTCOME_ACCEPTED, j.mustSubmit(cmd("a", "note", text)).Outcome)
		j.decided(0, b.append(note("a", "1", toy{Kind: "note", Events: 3}), note("a", "2", toy{Kind: "note"})))
		j.stop()
		require.NoError(t, os.RemoveAll(dir))
		j = b.start(storeIn(dir)).ready()
		s, err := j.State(t.Context(), "a")
		require.NoError(t, err)
		require.EqualValues(t, 6, s.GetVersion())
		require.Len(t, s.GetOrderId(), len(text))
		b.check()
	})
}

// uncompressed returns the records of a batch in a produce request.
func uncompressed(batch []byte) []byte {
	var b kmsg.RecordBatch
	if err := b.ReadFrom(batch); err != nil {
		panic(err)
	}
	const codec, gzipCodec = 7, 1
	if b.Attributes&codec != gzipCodec {
		return b.Records
	}
	r, err := gzip.NewReader(bytes.NewReader(b.Records))
	if err != nil {
		panic(err)
	}
	records, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return records
}

// refuseOversized makes the broker reject each record of a topic that says "oversized", and all others of its batch: its
// limit is below the journal's.
func refuseOversized(b *bundle, topic string, refused *atomic.Int32) {
	b.cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.MessageTooLarge, Count: -1,
		When: func(r kmsg.Request) bool {
			for _, produced := range r.(*kmsg.ProduceRequest).Topics {
				for _, p := range produced.Partitions {
					if strings.Contains(string(uncompressed(p.Records)), "oversized") {
						refused.Add(1)
						return true
					}
				}
			}
			return false
		},
	})
}

// A record that the broker rejects is found by halving.
func TestCommitterIsolatesRejectedRecord(t *testing.T) {
	t.Parallel()
	for name, topics := range map[string][]string{
		"its event is rejected":                    {events.TopicEvents},
		"its event and its decision with the body": {events.TopicEvents, events.TopicDecisions},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			var refused atomic.Int32
			for _, topic := range topics {
				refuseOversized(b, topic, &refused)
			}
			j := b.start(config(func(c *Config) { c.MaxBatch = 64 }))
			records := []InboxRecord{note("a", "create", toy{Kind: "create"})}
			for i := range 30 {
				text := "fine"
				if i == 17 {
					text = "oversized"
				}
				records = append(records, note("a", fmt.Sprint("key", i), toy{Kind: "note", Text: text}))
			}
			last := b.append(records...)
			j.decided(0, last)
			k := b.check()
			require.Len(t, k.decisions[0], 31)
			for i, d := range k.decisions[0] {
				want := applied
				if i == 18 {
					want = quarantined
				}
				require.Equal(t, want, d.GetOutcome(), "input %d", i)
			}
			require.Greater(t, refused.Load(), int32(2), "it was halved")
			d, body := k.decisions[0][18], records[18].Body
			require.EqualValues(t, shipment.ReasonTooLarge, d.GetReason())
			if len(topics) == 1 {
				require.Equal(t, body, d.GetBody())
			} else {
				require.Empty(t, d.GetBody())
				require.EqualValues(t, len(body), d.GetBodyBytes(), "its size, for want of its body")
			}
		})
	}
}

// A creation brings the facts that wait for it into its batch. If the broker rejects the record of one of them, the
// shipment is created, and the others are applied in order.
func TestCommitterIsolatesWaitingFact(t *testing.T) {
	t.Parallel()
	for name, restarts := range map[string]bool{"its owner recorded the facts": false, "its next owner reads them": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			var refused atomic.Int32
			refuseOversized(b, events.TopicEvents, &refused)
			j := b.start().ready()
			text := func(key, text string) InboxRecord { return note("a", key, toy{Kind: "note", Text: text}) }
			j.decided(0, b.append(text("w1", "first"), text("w2", "oversized"), text("w3", "third")))
			if restarts {
				j.stop()
				j = b.start().ready()
			}
			at, err := b.inbox.AppendAll(t.Context(), []InboxRecord{note("a", "c", toy{Kind: "create"}), text("n", "after")})
			require.NoError(t, err)
			j.decided(0, at[1].Offset)
			k := b.check()
			require.Equal(t, []ledgerv1.Outcome{
				waits, waits, waits, applied, applied, quarantined, applied, applied,
			}, k.outcomes())
			var inbox []int64
			for _, d := range k.decisions[0][3:] {
				inbox = append(inbox, d.GetInboxOffset())
			}
			require.Equal(t, []int64{3, 0, 1, 2, 4}, inbox)
			require.EqualValues(t, shipment.ReasonTooLarge, k.decisions[0][5].GetReason())
			require.Zero(t, j.lanes.serving(0).store.Meta().Waiting)
			require.Positive(t, refused.Load())
		})
	}
}

// An invalid command is refused before it reaches the lane.
func TestSubmitRefusesInvalidCommands(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		j := b.start().ready()
		for _, c := range []Command{{}, {ShipmentID: "a"}, {ShipmentID: "a", Input: toy{}, Key: "auto/x"}} {
			_, err := j.Submit(t.Context(), c)
			require.ErrorIs(t, err, ErrInvalid)
		}
		require.ErrorIs(t, j.SubmitAll(t.Context(), []Command{{}})[0].Err, ErrInvalid)
		// A fact without a body can't wait: no decision could hold it.
		r := j.mustSubmit(Command{ShipmentID: "a", Input: toy{Kind: "note", Fact: true}, Hash: sha256.Sum256(nil)})
		require.Equal(t, quarantined, r.Outcome)
		b.check()
	})
}

// A duplicate may still give events: those that complete what the first left open.
func TestBatchDuplicateWithEvents(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		j := b.start(storeIn(dir)).ready()
		j.decided(0, b.append(note("a", "c", toy{Kind: "create"}), note("a", "e", toy{Kind: "echo"}), note("a", "e", toy{Kind: "echo"})))
		r := j.mustSubmit(keyed(cmd("a", "echo", "x"), "k"))
		require.Equal(t, duplicate, r.Outcome)
		require.EqualValues(t, 3, r.Version)
		k := b.check()
		require.Len(t, k.events[0], 3)
		require.Equal(t, k.events[0][2].offset, r.Offset)
		require.Equal(t, duplicate, k.decisions[0][1].GetOutcome())
		require.EqualValues(t, 2, k.decisions[0][1].GetFirstVersion())
		require.Empty(t, k.decisions[0][1].GetReason())
		require.Equal(t, duplicate, k.decisions[0][2].GetOutcome())
		require.Zero(t, k.decisions[0][2].GetLastVersion(), "the same notification again")
		require.Equal(t, ReasonRepeated, shipment.Code(k.decisions[0][2].GetReason()))
		r.Repeated = true
		for _, store := range []string{dir, t.TempDir()} {
			j.stop()
			j = b.start(storeIn(store)).ready()
			require.Equal(t, r, j.mustSubmit(keyed(cmd("a", "echo", "x"), "k")))
		}
	})
}

// A credential may speak for several sellers. A notification that names none of them must not change another's
// shipment.
func TestDeciderChecksSellersOfSender(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start().ready()
	of := func(key string, sellers ...string) InboxRecord {
		r := note("a", key, toy{Kind: "note"})
		r.Sellers = sellers
		return r
	}
	create := note("a", "0", toy{Kind: "create"})
	create.SellerID = "s1"
	most := make([]string, maxSellers-1) // With the commas between them.
	most[0] = "s1"
	many := append([]string{"s1"}, make([]string, maxSellers)...)
	last := b.append(create, of("1", "s1", "s2"), of("2", "s2", "s3"), of("3"), of("4", "s"), of("5", many...),
		of("9", most...))
	j.decided(0, last)
	k := b.check()
	require.Equal(t, []ledgerv1.Outcome{applied, applied, quarantined, applied, quarantined, quarantined, applied},
		k.outcomes())
	require.EqualValues(t, shipment.ReasonOtherSeller, k.decisions[0][2].GetReason())

	// They are checked when a fact's waiting ends.
	early := func(key string, sellers ...string) InboxRecord {
		r := of(key, sellers...)
		r.ShipmentID = "b"
		return r
	}
	j.decided(0, b.append(early("6", "s2", "s3"), early("7", "s1", "s2")))
	j.stop() // The next owner reads them from their decisions.
	j = b.start().ready()
	create = note("b", "8", toy{Kind: "create"})
	create.SellerID = "s1"
	j.decided(0, b.append(create))
	require.Equal(t, []ledgerv1.Outcome{waits, waits, applied, quarantined, applied}, b.check().outcomes()[7:])
}
