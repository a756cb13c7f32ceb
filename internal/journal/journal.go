package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/journal/membership"
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
	decide  decideFunc // shipment.Decide, except in tests of faults.
	keys    keys

	topics   topics
	memory   *lanestore.Memory // Shared by all lane stores; nil until Run.
	members  *membership.Membership
	lanes    laneSet
	standbys *standbys // Nil if no standbys are kept, and until Run.
	warmth   warmth
	damaged  *damaged
	announce sync.WaitGroup // Goroutines that announce takeovers to other instances.

	life lifecycle
}

// decideFunc is the type of shipment.Decide.
type decideFunc func(*shipment.State, shipment.Input, shipment.Context) shipment.Decision

// lifecycle guards a journal against being run twice, or closed without being run.
type lifecycle struct {
	mu     sync.Mutex
	stop   func()        // Guarded by mu; ends Run, nil before it.
	closed bool          // Guarded by mu.
	done   chan struct{} // Closed when Run has returned.
}

// keys generates keys for commands that came without one.
type keys struct {
	nonce string // Of this journal.
	count atomic.Uint64
}

// generated returns a key that is unique over all instances and their restarts, without asking the system for
// randomness each time.
func (k *keys) generated() string {
	return lanestore.GeneratedKey + k.nonce + "/" + strconv.FormatUint(k.count.Add(1), 10)
}

// hooks are points at which a test can stop the world. They are empty in production.
type hooks struct {
	onCommitted, onStored func(lane int32)
	left                  func(lane int32, left int64) int64 // Replaces what warmth.left returns.
	onTakeover            func(ctx context.Context)          // Called before a lane is read.
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
	j := &Journal{
		cfg: cfg, deps: d, log: d.Log, metrics: m, source: events.Source + "/" + cfg.Cluster, decide: shipment.Decide,
		keys:   keys{nonce: uuid.NewString()},
		topics: topics{options: d.Options, lanes: cfg.Lanes, layout: cfg.Layout, stepTimeout: cfg.TakeoverTimeout},
		lanes:  newLaneSet(), damaged: newDamaged(m.damaged), life: lifecycle{done: make(chan struct{})},
	}
	j.members = membership.New(membership.Config{
		Cluster: cfg.Cluster, InstanceID: cfg.InstanceID, Advertise: cfg.Advertise, Nonce: j.keys.nonce,
		SessionTimeout: cfg.SessionTimeout, RebalanceTimeout: cfg.RebalanceTimeout,
		Options: d.Options, Log: d.Log, Lanes: cfg.Lanes, Standbys: cfg.Standbys, AskEvery: cfg.RebalanceEvery,
		Serves: j.lanes.opened, Has: j.lanes.has, Serving: j.lanes.left, Report: j.report, ClockGood: d.ClockGood,
	})
	return j, nil
}

// Run owns lanes until ctx ends or the group refuses this instance. It stops in this order: take no more, finish the
// batches in hand, leave the group, close. It may be called once.
func (j *Journal) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	j.life.mu.Lock()
	if j.life.stop != nil || j.life.closed {
		j.life.mu.Unlock()
		return errors.New("journal: run or closed before")
	}
	j.life.stop = cancel
	j.life.mu.Unlock()
	defer close(j.life.done)

	j.memory = lanestore.NewMemory(j.cfg.CacheBytes, j.cfg.Lanes)
	defer j.memory.Close()
	client, err := kgo.NewClient(j.deps.Options...)
	if err != nil {
		return fmt.Errorf("journal client: %w", err)
	}
	defer client.Close()
	j.topics.client = client
	j.members.Connect(client)
	if _, err := j.topics.identity(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // It was stopped meanwhile.
		}
		return err
	}
	var wg sync.WaitGroup
	if !j.cfg.Embedded {
		j.inspectStores(ctx)
		j.standbys = newStandbys(j)
		wg.Go(func() { j.standbys.run(ctx) })
	}
	wg.Go(func() { (&maintenance{j: j}).run(ctx) })
	err = j.members.Run(ctx, membership.Callbacks{
		Planned: func(p membership.Plan) {
			p.FollowAll = p.FollowAll && j.cfg.Standbys > 0
			j.lanes.setPlan(p)
		},
		Assigned: func(lanes []int32) { j.assign(ctx, lanes) },
		Revoked:  j.revoke,
		Lost:     j.lanes.leave,
		Stopping: func() {
			cancel() // From here on nothing is assigned.
			stopAll(j.lanes.clear())
		},
	})
	wg.Wait()
	j.announce.Wait()
	return err
}

// Close ends Run and waits for it. It may be called more than once, and without Run.
func (j *Journal) Close() error {
	j.life.mu.Lock()
	j.life.closed = true
	stop := j.life.stop
	j.life.mu.Unlock()
	if stop != nil {
		stop()
		<-j.life.done
	}
	return nil
}

// State returns the latest state of a shipment as this instance's lane has it, nil when there is none. While the lane
// is being taken over it waits inside ctx. An owner that was fenced a moment ago, and has not noticed, may answer with
// an outdated state.
func (j *Journal) State(ctx context.Context, shipmentID string) (*ledgerv1.Shipment, error) {
	for {
		l := j.lanes.serving(events.Lane(shipmentID, j.cfg.Lanes))
		if l == nil {
			return nil, fmt.Errorf("state of shipment %s: %w", shipmentID, ErrNotOwner)
		}
		opened := l.opened.Load()
		if s := l.shared.Load(); s != nil {
			state, err := s.State(shipmentID)
			if !errors.Is(err, lanestore.ErrClosed) {
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

// NewKey returns an ephemeral key, which no other command ever had, for a command that may be sent more than once: to
// its owner in another instance, or again after an error. Its answer is kept for an hour by the clock of the owner.
func (j *Journal) NewKey() string {
	return lanestore.NewEphemeralKey(j.deps.Now(), j.keys.nonce, j.keys.count.Add(1))
}

// Owner is the instance that should be asked about a lane.
type Owner = membership.Owner

// Owner returns the instance to ask about a lane: this one if it serves the lane and was not reported wrong, otherwise
// the one that last took the lane, if it is still a member, and then the one to which the group assigns it. If it knows
// no owner, or a wrong one, it asks the group, once for all callers. While there is no owner it waits inside ctx.
func (j *Journal) Owner(ctx context.Context, lane int32) (Owner, error) {
	if lane < 0 || int(lane) >= j.cfg.Lanes {
		return Owner{}, fmt.Errorf("owner of lane %d: %w: there are %d", lane, ErrInvalid, j.cfg.Lanes)
	}
	o, err := j.members.Owner(ctx, lane)
	if err != nil {
		return Owner{}, fmt.Errorf("owner of lane %d: %w: %w", lane, ErrLaneMoving, err)
	}
	return o, nil
}

// OwnerWrong reports that an answer of Owner was wrong: that instance did not own the lane, or could not be reached.
// The next Owner of this lane asks the group.
func (j *Journal) OwnerWrong(lane int32, was Owner) { j.members.OwnerWrong(lane, was) }

// HandOver says to the group that this instance leaves, and returns when other instances have taken its lanes, when
// nobody else stays, or when ctx ends; then it leaves the group, as a static member too. A lane is taken once another
// instance is warm for it. Until then lanes are served here, so calls must still be taken. It is for an instance that
// will stop; Run continues until its own context ends.
func (j *Journal) HandOver(ctx context.Context) error {
	if !j.drains() {
		return nil
	}
	return j.members.HandOver(ctx)
}

// openStore opens the store of a lane.
func (j *Journal) openStore(ctx context.Context, lane int32, want lanestore.Meta) (*lanestore.Store, error) {
	o := lanestore.Options{Memory: j.memory, Log: j.laneLog(lane), Now: j.deps.Now}
	if clock := j.deps.Clock; clock != nil {
		o.OwnTime = func(sellerID string) bool { return !clock(sellerID).IsZero() }
	}
	return lanestore.Open(ctx, lanestore.Dir(j.cfg.StoreDir, lane), o, want)
}

// StoreDir returns the folder of the lane stores.
func (j *Journal) StoreDir() string { return j.cfg.StoreDir }

// explain adds to an error of a lane that a disk of Kafka is full, if one is: the client library only knows that its
// time was over.
func (j *Journal) explain(err error) error {
	if full := j.deps.DiskFull; full != nil && err != nil {
		return errors.Join(err, full())
	}
	return err
}

// laneLog is the log of what happens in a lane.
func (j *Journal) laneLog(id int32) *slog.Logger {
	return j.log.With(slog.String("topic", events.TopicEvents), slog.Int("partition", int(id)))
}
