package journal

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// bundle is a ledger of a test's own and the journals on it.
type bundle struct {
	testing.TB
	cluster *kfake.Cluster // Nil unless the broker is inside the process.
	brokers []string
	lanes   int
	inbox   *Inbox
	faults  []*kfake.FaultHandle
}

// clearFaults removes the faults that no request met, so that the checker does not meet them.
func (b *bundle) clearFaults() {
	for _, f := range b.faults {
		f.Remove()
	}
}

// setup makes a ledger on a broker inside the process, for faults inside the broker and for benchmarks.
func setup(t testing.TB, lanes int, opts ...kfake.Opt) *bundle {
	t.Helper()
	return setupOn(t, testkit.Kfake, lanes, opts...)
}

func setupOn(t testing.TB, on testkit.KafkaBackend, lanes int, opts ...kfake.Opt) *bundle {
	t.Helper()
	cluster, brokers := on.Open(t, opts...)
	testkit.Topics(t, brokers, lanes)
	b := &bundle{TB: t, cluster: cluster, brokers: brokers, lanes: lanes}
	b.inbox = b.newInbox()
	return b
}

func (b *bundle) newInbox() *Inbox {
	inbox, err := NewInbox(b.lanes, kafka.Options(testkit.KafkaConfig(b.brokers, b.lanes))...)
	require.NoError(b, err)
	b.Cleanup(inbox.Close)
	return inbox
}

// instance is a journal that runs.
type instance struct {
	*Journal
	b      *bundle
	cfg    Config
	cancel func()
	done   chan error
	ended  bool
}

type option func(*Config, *Deps, *Journal)

// start runs a journal whose store is in a folder of its own, unless an option says otherwise.
func (b *bundle) start(opts ...option) *instance {
	b.Helper()
	cfg := DefaultConfig()
	cfg.Lanes, cfg.StoreDir = b.lanes, b.TempDir()
	cfg.CacheBytes = 8 << 20
	cfg.TransactionTimeout = 5 * time.Second
	cfg.InboxCommitEvery = 100 * time.Millisecond
	cfg.RepeatWithin = -1 // Most tests send the same command many times, and mean it.
	log := testkit.Logger(b)
	if _, ok := b.TB.(*testing.B); ok {
		log = slog.New(slog.DiscardHandler)
	}
	deps := Deps{
		Options: kafka.Options(testkit.KafkaConfig(b.brokers, b.lanes)), Decode: decodeToy,
		Log: log, Registerer: prometheus.NewRegistry(),
	}
	hook := &Journal{decide: decideToy}
	for _, o := range opts {
		o(&cfg, &deps, hook)
	}
	j, err := New(cfg, deps)
	require.NoError(b, err)
	j.decide, j.hooks = hook.decide, hook.hooks
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	i := &instance{Journal: j, b: b, cfg: cfg, cancel: cancel, done: make(chan error, 1)}
	go func() { i.done <- j.Run(ctx) }()
	b.Cleanup(i.stop)
	return i
}

func (i *instance) stop() {
	if i.ended {
		return
	}
	i.ended = true
	i.cancel()
	require.NoError(i.b, <-i.done)
}

func (i *instance) ready() *instance {
	i.b.Helper()
	testkit.Eventually(i.b, func() bool { return i.Ready() == nil }, "all lanes open")
	return i
}

func storeIn(dir string) option {
	return func(c *Config, _ *Deps, _ *Journal) { c.StoreDir = dir }
}

func config(f func(*Config)) option {
	return func(c *Config, _ *Deps, _ *Journal) { f(c) }
}

func clock(now func() time.Time) option {
	return func(_ *Config, d *Deps, _ *Journal) { d.Now = now }
}

func dialer(d *netfault.LossyDialer, more ...kgo.Opt) option {
	return func(_ *Config, deps *Deps, _ *Journal) {
		deps.Options = append(append(append([]kgo.Opt{}, deps.Options...), kgo.Dialer(d.Dial)), more...)
	}
}

func cmd(id, kind, text string) Command {
	return Command{
		ShipmentID: id, Input: toy{Kind: kind, Text: text}, SellerID: "s1", AuthType: "seller", AuthID: "s1",
		CorrelationID: "corr-" + id, Hash: sha256.Sum256([]byte(id + kind + text)),
	}
}

func keyed(c Command, key string) Command {
	c.Key = key
	return c
}

func createCmd(id string) Command { return cmd(id, "create", id+"|") }

func (i *instance) mustSubmit(c Command) Receipt {
	i.b.Helper()
	ctx, cancel := context.WithTimeout(i.b.Context(), testkit.Limit)
	defer cancel()
	r, err := i.Submit(ctx, c)
	require.NoError(i.b, err)
	return r
}

func note(id, key string, y toy) InboxRecord {
	if y.Kind == "create" {
		y.Text = id + "|" + y.Text
	}
	return InboxRecord{ShipmentID: id, Key: key, SellerID: "s1", CorrelationID: "corr-" + id, AuthType: "marketplace", AuthID: "m", Body: y.body()}
}

func (b *bundle) append(records ...InboxRecord) (last int64) {
	b.Helper()
	for _, r := range records {
		_, offset, err := b.inbox.Append(b.Context(), r)
		require.NoError(b, err)
		last = offset
	}
	return last
}

// decided waits until the instance has decided everything in the inbox of a lane.
func (i *instance) decided(lane int32, offset int64) {
	i.b.Helper()
	testkit.Eventually(i.b, func() bool { return i.lanes.positions()[lane] > offset }, fmt.Sprintf("inbox lane %d decided to %d", lane, offset))
}

// book is the content of a ledger's topics, read without any knowledge of the journal.
type book struct {
	events    [][]eventLine    // By lane.
	decisions [][]decisionLine // By lane; void ones are flagged.
	inbox     []int64          // Ends by lane.
}

type eventLine struct {
	events.Envelope
	event  *ledgerv1.Event
	offset int64
	at     time.Time
}

type decisionLine struct {
	events.Envelope
	*ledgerv1.Decision
	offset int64
	void   bool
}

func (b *bundle) read() *book {
	b.Helper()
	k := &book{
		events: make([][]eventLine, b.lanes), decisions: make([][]decisionLine, b.lanes), inbox: make([]int64, b.lanes),
	}
	for lane := range int32(b.lanes) {
		v := b.verifier(events.TopicEvents, lane)
		b.records(events.TopicEvents, lane, func(r *kgo.Record) {
			env, ev, err := events.Decode(kafka.EventRecord(r))
			require.NoError(b, err)
			b.verify(v, r)
			k.events[lane] = append(k.events[lane], eventLine{env, ev, r.Offset, r.Timestamp})
		})
		v = b.verifier(events.TopicDecisions, lane)
		b.records(events.TopicDecisions, lane, func(r *kgo.Record) {
			env, d, voids, err := events.DecodeDecision(kafka.EventRecord(r))
			require.NoError(b, err)
			b.verify(v, r)
			if voids != nil {
				for i := range k.decisions[lane] {
					if o := k.decisions[lane][i].offset; o >= voids.GetFirstOffset() && o <= voids.GetLastOffset() {
						k.decisions[lane][i].void = true
					}
				}
				return
			}
			k.decisions[lane] = append(k.decisions[lane], decisionLine{env, d, r.Offset, false})
		})
		k.inbox[lane] = b.end(events.TopicInbox, lane)
	}
	return k
}

func (b *bundle) end(topic string, lane int32) int64 {
	b.Helper()
	j, err := New(Config{Cluster: "x", Lanes: b.lanes, StoreDir: "x"}, Deps{Options: kafka.Options(testkit.KafkaConfig(b.brokers, b.lanes))})
	require.NoError(b, err)
	j.topics.client = testkit.Client(b, b.brokers)
	spans, err := j.topics.spans(context.WithoutCancel(b.Context()), lane)
	require.NoError(b, err)
	return spans[topic].end
}

func (b *bundle) records(topic string, lane int32, fn func(*kgo.Record)) {
	b.Helper()
	j, err := New(Config{Cluster: "x", Lanes: b.lanes, StoreDir: "x"}, Deps{Options: kafka.Options(testkit.KafkaConfig(b.brokers, b.lanes))})
	require.NoError(b, err)
	ctx := context.WithoutCancel(b.Context())
	require.NoError(b, j.topics.scan(ctx, topic, lane, 0, b.end(topic, lane), func(r *kgo.Record) error {
		fn(r)
		return nil
	}))
}

// verifier returns the verifier of a lane at its beginning.
func (b *bundle) verifier(topic string, lane int32) *events.Verifier {
	return &events.Verifier{
		Topic: topic, Lane: lane, Lanes: b.lanes, Chain: events.ChainStart(events.Hash{}, topic, lane),
	}
}

func (b *bundle) verify(v *events.Verifier, r *kgo.Record) {
	b.Helper()
	_, err := v.Next(kafka.EventRecord(r))
	require.NoError(b, err, "%s offset %d", r.Topic, r.Offset)
}

// check checks the topics for the promises of the ledger: dense versions, dense laneseqs and a whole chain (in read),
// recorded time that never goes backward, decisions that name the events' chain head, and one final decision for every
// input.
func (b *bundle) check() *book {
	b.Helper()
	k := b.read()
	for lane := range k.events {
		k.checkLane(b, lane)
	}
	return k
}

func (k *book) checkLane(t testing.TB, lane int) {
	t.Helper()
	versions := map[string]uint64{}
	heads := map[uint64]events.Hash{0: events.ChainStart(events.Hash{}, events.TopicEvents, int32(lane)).Head}
	var last time.Time
	for _, e := range k.events[lane] {
		versions[e.ShipmentID]++
		require.Equal(t, versions[e.ShipmentID], e.Version, "version of %s", e.ShipmentID)
		require.Equal(t, int32(lane), events.Lane(e.ShipmentID, len(k.events)), "lane of %s", e.ShipmentID)
		require.False(t, e.RecordedAt.Before(last), "recorded time goes backward")
		heads[e.LaneSeq] = e.ChainHash
		last = e.RecordedAt
	}
	last = time.Time{}
	ends := map[int64][]ledgerv1.Outcome{}
	answered := map[string]int{}
	produced := map[string]uint64{}
	for _, d := range k.decisions[lane] {
		require.False(t, d.Envelope.RecordedAt.Before(last), "recorded time goes backward")
		last = d.Envelope.RecordedAt
		if d.void {
			continue
		}
		head := heads[d.GetEventsLaneseq()]
		require.Equal(t, head[:], d.GetEventsHead(), "decision %d names events %d", d.LaneSeq, d.GetEventsLaneseq())
		if d.Decision.InboxOffset != nil {
			ends[d.GetInboxOffset()] = append(ends[d.GetInboxOffset()], d.GetOutcome())
		}
		if d.GetLastVersion() > 0 {
			require.Equal(t, produced[d.Decision.GetShipmentId()]+1, d.GetFirstVersion(), "versions are produced once")
			produced[d.Decision.GetShipmentId()] = d.GetLastVersion()
		}
		if key := d.GetInputKey(); key != "" && d.Decision.InboxOffset == nil && reasonOf(d.Decision) != "IDEMPOTENCY_KEY_REUSED" {
			answered[d.Decision.GetShipmentId()+"/"+key]++
		}
	}
	require.Equal(t, versions, produced, "every event has its decision")
	k.checkFirstEvents(t, lane)
	for id, n := range answered {
		require.Equal(t, 1, n, "answers to %s", id)
	}
	require.Len(t, ends, int(k.inbox[lane]), "every inbox record has a decision")
	for offset, outcomes := range ends {
		final := 0
		for i, o := range outcomes {
			switch o {
			case ledgerv1.Outcome_OUTCOME_WAITING:
				require.Zero(t, i, "waiting comes first, at %d", offset)
			case ledgerv1.Outcome_OUTCOME_QUARANTINED:
			default:
				final++
				require.Equal(t, len(outcomes)-1, i, "nothing follows a final decision, at %d: %v", offset, outcomes)
			}
		}
		require.LessOrEqual(t, final, 1, "final decisions of inbox offset %d", offset)
	}
}

// checkFirstEvents checks that the first event of each decision says which input was decided and which decision it is,
// so that a reader of the events needs no decisions.
func (k *book) checkFirstEvents(t testing.TB, lane int) {
	t.Helper()
	byID := map[string]eventLine{}
	for _, e := range k.events[lane] {
		byID[e.ID] = e
	}
	for _, d := range k.decisions[lane] {
		if d.void || d.GetLastVersion() == 0 {
			continue
		}
		n := int(d.GetLastVersion() - d.GetFirstVersion() + 1)
		for i := range n {
			e := byID[events.EventID(d.Envelope.ShipmentID, d.GetFirstVersion()+uint64(i))]
			require.Equal(t, []int{i + 1, n}, []int{e.DecisionEvent, e.DecisionEvents}, e.ID)
			require.Equal(t, e.event.GetAfter().GetSellerId(), e.SellerID, e.ID)
			require.Equal(t, e.event.GetAfter().GetLocationId(), e.LocationID, e.ID)
			if i > 0 {
				require.Empty(t, e.InputKey+e.InputType, e.ID)
				continue
			}
			require.Equal(t, d.GetInputKey(), e.InputKey, e.ID)
			require.Equal(t, d.Envelope.InputHash, e.InputHash, e.ID)
			require.Equal(t, d.Envelope.InboxOffset, e.InboxOffset, e.ID)
			if d.GetReason() == string(ReasonRestored) {
				continue // The lost decision had another sequence, perhaps a row of its own.
			}
			require.Equal(t, d.GetInputType(), e.InputType, e.ID)
			require.Equal(t, d.LaneSeq, e.DecisionSeq, e.ID)
			require.Equal(t, d.GetWaited() || d.GetReason()+d.GetMessage() != "" || len(d.GetUnknownItems()) > 0, e.DecisionRow, e.ID)
		}
	}
}

func reasonOf(d *ledgerv1.Decision) string { return d.GetReason() }

// counted returns the value of a counter or gauge.
func counted(m prometheus.Metric) float64 {
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		panic(err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}
