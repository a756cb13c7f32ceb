package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Journal is one instance's part of the ledger: the lanes that the group assigns to it. Its methods may be used by many
// goroutines.
type Journal struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	metrics *metrics
	source  string
	hooks   hooks
	decide  func(*shipment.State, shipment.Input, shipment.Context) shipment.Decision // shipment.Decide, but in tests of faults.

	nonce string        // Of this journal, in the keys it generates.
	keys  atomic.Uint64 // How many it has generated.

	client *kgo.Client   // For questions; nil until Run.
	cache  *pebble.Cache // Shared by all lane stores; nil until Run.

	owners   owners
	follower *follower      // Keeps the stores of lanes that others own; nil where none are kept, and until Run.
	asides   sync.WaitGroup // Goroutines that tell others something.

	mu        sync.Mutex
	lanes     map[int32]*lane           // Assigned; guarded by mu.
	lingering map[int32]*lane           // Taken away and still serving; guarded by mu.
	last      map[int32]<-chan struct{} // Closed when the last lane of that number has let go of its store; guarded by mu.

	group  *kgo.Client   // Guarded by mu; nil but inside Run.
	joined bool          // Guarded by mu: the group has answered.
	run    bool          // Guarded by mu: Run was called.
	stop   func()        // Guarded by mu; ends Run.
	closed bool          // Guarded by mu.
	done   chan struct{} // Closed when Run has returned.
}

// hooks are points at which a test can stop the world. They are empty in production.
type hooks struct {
	onCommitted, onStored func(lane int32)
}

func (h hooks) committed(lane int32) {
	if h.onCommitted != nil {
		h.onCommitted(lane)
	}
}

func (h hooks) stored(lane int32) {
	if h.onStored != nil {
		h.onStored(lane)
	}
}

// New returns a journal that does nothing until Run.
func New(cfg Config, d Deps) (*Journal, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(d.Registerer)
	if err != nil {
		return nil, fmt.Errorf("journal metrics: %w", err)
	}
	d = d.withDefaults()
	return &Journal{
		cfg: cfg, deps: d, log: d.Log, metrics: m, source: events.Source + "/" + cfg.Cluster,
		nonce: uuid.NewString(), lanes: map[int32]*lane{}, lingering: map[int32]*lane{}, last: map[int32]<-chan struct{}{}, done: make(chan struct{}), decide: shipment.Decide,
	}, nil
}

// Run owns lanes until ctx ends or the group refuses this instance. It stops in this order: take no more, finish the
// batches in hand, leave the group, close. It may be called once.
func (j *Journal) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	j.mu.Lock()
	if j.run || j.closed {
		j.mu.Unlock()
		return errors.New("journal: run or closed before")
	}
	j.run, j.stop = true, cancel
	j.mu.Unlock()
	defer close(j.done)

	j.cache = pebble.NewCache(j.cfg.CacheBytes - j.cfg.CacheBytes/statesPart)
	defer j.cache.Unref()
	client, err := kgo.NewClient(j.deps.Options...)
	if err != nil {
		return fmt.Errorf("journal client: %w", err)
	}
	defer client.Close()
	j.mu.Lock()
	j.client = client
	j.mu.Unlock()
	if _, err := j.identity(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // Told to stop.
		}
		return err
	}
	if !j.cfg.Embedded && !j.cfg.NoStandby {
		j.follower = newFollower(j)
	}
	group, err := j.join(ctx)
	if err != nil {
		return err
	}
	j.mu.Lock()
	j.group = group
	j.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { j.attend(ctx) })
	if j.follower != nil {
		wg.Go(func() { j.follower.run(ctx) })
	}
	err = j.watch(ctx, group)
	cancel()
	j.stopLanes()
	j.mu.Lock()
	j.group = nil
	j.mu.Unlock()
	group.CloseAllowingRebalance()
	wg.Wait()
	j.asides.Wait()
	return err
}

// stopLanes stops what the group has assigned; nothing is assigned after ctx has ended.
func (j *Journal) stopLanes() {
	j.mu.Lock()
	lanes := slices.AppendSeq(slices.Collect(maps.Values(j.lanes)), maps.Values(j.lingering))
	clear(j.lanes)
	clear(j.lingering)
	j.mu.Unlock()
	stopAll(lanes)
}

// Close ends Run and waits for it. It may be called more than once, and without Run.
func (j *Journal) Close() error {
	j.mu.Lock()
	j.closed = true
	run, stop := j.run, j.stop
	j.mu.Unlock()
	if run {
		stop()
		<-j.done
	}
	return nil
}

// identity asks for what a lane store must agree with, and checks that the topics' partitions are the lanes.
func (j *Journal) identity(ctx context.Context) (meta, error) {
	topics := []string{events.TopicEvents, events.TopicDecisions, events.TopicInbox}
	md, err := kadm.NewClient(j.client).Metadata(ctx, topics...)
	if err != nil {
		return meta{}, fmt.Errorf("ask for the ledger's topics: %w", err)
	}
	ids := make([]string, 0, len(topics))
	for _, name := range topics {
		t, ok := md.Topics[name]
		switch {
		case !ok:
			return meta{}, fmt.Errorf("topic %s: %w: it is not there", name, ErrLanes)
		case t.Err != nil:
			return meta{}, fmt.Errorf("topic %s: %w", name, t.Err)
		case len(t.Partitions) != j.cfg.Lanes:
			return meta{}, fmt.Errorf("topic %s: %w: %d partitions, %d lanes", name, ErrLanes, len(t.Partitions), j.cfg.Lanes)
		}
		ids = append(ids, t.ID.String())
	}
	return newMeta(md.Cluster, ids), nil
}

// serving returns the lane that decides here: an assigned one, or one that lingers.
func (j *Journal) serving(lane int32) *lane {
	j.mu.Lock()
	defer j.mu.Unlock()
	if l := j.lanes[lane]; l != nil {
		return l
	}
	return j.lingering[lane]
}

// State returns the latest state of a shipment as this instance's lane has it, nil when there is none. While the lane
// is being taken over it waits inside ctx. An owner that was fenced a moment ago and does not know it yet may answer
// with a state that has a successor.
func (j *Journal) State(ctx context.Context, shipmentID string) (*ledgerv1.Shipment, error) {
	for {
		l := j.serving(events.Lane(shipmentID, j.cfg.Lanes))
		if l == nil {
			return nil, fmt.Errorf("state of shipment %s: %w", shipmentID, ErrNotOwner)
		}
		opened := l.opened.Load()
		if s := l.reading.Load(); s != nil {
			state, err := s.state(shipmentID)
			if !errors.Is(err, errStoreClosed) {
				return state, err
			}
		}
		select {
		case <-*opened:
		case <-l.gone:
			return nil, fmt.Errorf("state of shipment %s: %w", shipmentID, ErrNotOwner)
		case <-ctx.Done():
			return nil, fmt.Errorf("state of shipment %s: %w: %w", shipmentID, ErrLaneMoving, ctx.Err())
		}
	}
}

// Ready returns nil when the group has answered and all lanes it assigns to this instance are open.
func (j *Journal) Ready() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.joined {
		return errors.New("journal: the owners' group has not answered yet")
	}
	var problems []error
	for _, id := range slices.Sorted(maps.Keys(j.lanes)) {
		if l := j.lanes[id]; !l.open.Load() {
			why := ErrLaneMoving
			if p := l.failure.Load(); p != nil {
				why = *p
			}
			problems = append(problems, fmt.Errorf("lane %d: %w", id, why))
		}
	}
	return errors.Join(problems...)
}
