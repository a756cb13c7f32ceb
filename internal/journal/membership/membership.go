package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// EnvInstanceID is the variable that sets Config.InstanceID; cmd/ingest reads it.
const EnvInstanceID = "ORDERLEDGER_INGEST_INSTANCE_ID"

// Config says who a member is.
type Config struct {
	// Cluster names the ledger; both groups carry it.
	Cluster string
	// InstanceID makes the instance a static member. It must be unique and stable. Empty means a dynamic member.
	InstanceID string
	// Advertise is the base URL at which other instances reach this one. Empty means that they can't.
	Advertise string
	// Nonce names this instance if it has no URL. No other instance may have it.
	Nonce string
	// SessionTimeout is how long the group waits for a member that went silent.
	SessionTimeout time.Duration
	// RebalanceTimeout is how long the group waits for a member to rejoin in a rebalance.
	RebalanceTimeout time.Duration
	// Options are the broker options of the member's client.
	Options []kgo.Opt
	// Log gets one line for each change; required.
	Log *slog.Logger
	// Lanes is the number of lanes to assign.
	Lanes int
	// Standbys is how many instances beside its owner follow a lane. The highest value in the group counts.
	Standbys int
	// AskEvery is the shortest time between two rebalances that this member asks for. Zero means 5 seconds.
	AskEvery time.Duration
	// Serves reports whether this instance decides for a lane now; required. It must not block.
	Serves func(lane int32) bool
	// Has reports whether this instance serves a lane or is about to; required. It must not block.
	Has func(lane int32) bool
	// Serving returns the lanes that this instance serves, those that the group took away included; required. It must not
	// block.
	Serving func() []int32
	// Report says how near this instance is to serving each lane; required. It must not block.
	Report func() Report
	// ClockGood reports whether the clock of this machine can be trusted. Members with a good clock are preferred. Nil
	// means that it can. It must not block.
	ClockGood func() bool
}

// Callbacks are how a member learns of its lanes. They are called one after the other.
type Callbacks struct {
	// Planned is called after each rebalance, before Assigned, with what the group said beside the lanes.
	Planned func(Plan)
	// Assigned is called with the lanes that have become this instance's, and with none when the group has nothing for it.
	// It must return soon: the group waits for it.
	Assigned func(lanes []int32)
	// Revoked is called with the lanes that the group takes away. The group assigns them to the
	// next owner only after it has returned.
	Revoked func(lanes []int32)
	// Lost is called when the instance is no member any more, against its will. Revoked follows, with its lanes. The next
	// Assigned says that it is a member again.
	Lost func()
	// Stopping is called once, when Run is about to leave the group.
	Stopping func()
}

// Membership is one instance's place in the lanes' group. Its methods may be used by many goroutines.
type Membership struct {
	cfg    Config
	log    *slog.Logger
	owners ownerDirectory
	asking asking

	mu     sync.Mutex
	client *kgo.Client // For requests about groups; guarded by mu, nil until Connect.
	group  *kgo.Client // Guarded by mu; nil except inside Run.
}

// New returns a membership that joins nothing until Run.
func New(cfg Config) *Membership {
	if cfg.AskEvery == 0 {
		cfg.AskEvery = 5 * time.Second
	}
	m := &Membership{cfg: cfg, log: cfg.Log}
	m.asking.cfg = &m.cfg
	return m
}

// Connect sets the client for requests about the groups. Without it, Owner has no answer from them.
func (m *Membership) Connect(client *kgo.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.client = client
}

// Run is a member of the lanes' group until ctx ends or the group refuses this instance. It then calls Stopping and
// leaves the group, in this order: another instance that got the lanes first would have to fence a batch in hand.
func (m *Membership) Run(ctx context.Context, c Callbacks) error {
	group, err := m.join(c)
	if err != nil {
		c.Stopping()
		return err
	}
	m.mu.Lock()
	m.group = group
	m.mu.Unlock()
	var wg sync.WaitGroup
	watching, cancel := context.WithCancel(ctx)
	wg.Go(func() { m.asking.watch(watching, group.ForceRebalance, m.log) })
	err = m.watch(ctx, group)
	cancel()
	wg.Wait()
	c.Stopping()
	m.mu.Lock()
	m.group = nil
	m.mu.Unlock()
	group.CloseAllowingRebalance()
	return err
}

// heartbeatAtMost bounds the time between heartbeats. A member learns only in a heartbeat that lanes have become its
// own, so when another member has died this much is added to the session that ran out.
const heartbeatAtMost = 500 * time.Millisecond

// join returns a member of the lanes' group.
func (m *Membership) join(c Callbacks) (*kgo.Client, error) {
	revoked := func(_ context.Context, _ *kgo.Client, lanes map[string][]int32) {
		m.owners.trust(lanes[events.TopicEvents]) // A draining lane is still served here.
		c.Revoked(lanes[events.TopicEvents])
	}
	sticky := kafka.LanesOnly(kgo.CooperativeStickyBalancer(), m.cfg.Lanes)
	opts := append(append([]kgo.Opt{}, m.cfg.Options...),
		kgo.ConsumerGroup(kafka.GroupLanes(m.cfg.Cluster)),
		kgo.ConsumeTopics(events.TopicEvents),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
		kgo.DisableAutoCommit(),
		kgo.Balancers(lanesBalancer{m, sticky}, older{advertiser{sticky, m.cfg.Advertise}, m}),
		kgo.SessionTimeout(m.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(m.cfg.SessionTimeout/4, heartbeatAtMost)),
		kgo.RebalanceTimeout(m.cfg.RebalanceTimeout),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, lanes map[string][]int32) {
			m.owners.trust(lanes[events.TopicEvents])
			c.Planned(m.asking.current())
			c.Assigned(lanes[events.TopicEvents])
		}),
		kgo.OnPartitionsRevoked(revoked),
		kgo.OnPartitionsLost(func(ctx context.Context, client *kgo.Client, lanes map[string][]int32) {
			c.Lost()
			revoked(ctx, client, lanes)
		}),
	)
	if m.cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(m.cfg.InstanceID))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("join the lanes' group: %w", err)
	}
	client.PauseFetchTopics(events.TopicEvents) // The group says who owns a lane; records are read elsewhere.
	return client, nil
}

// watch returns when the group refuses this instance for good. The client retries everything else.
func (m *Membership) watch(ctx context.Context, client *kgo.Client) error {
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			switch {
			case ctx.Err() != nil:
			case errors.Is(e.Err, kerr.FencedInstanceID):
				return fmt.Errorf("instance id %q: another instance uses it; give each its own in %s: %w",
					m.cfg.InstanceID, EnvInstanceID, e.Err)
			case kafka.RefusedByGroup(e.Err):
				return fmt.Errorf("own lanes: %w", e.Err)
			default:
				m.log.WarnContext(ctx, "lanes' group error reported", slog.Any("err", e.Err))
			}
		}
	}
	return nil
}
