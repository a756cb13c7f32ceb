package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
)

// Projector fills the tables from the ledger's topics.
type Projector struct {
	cfg    Config
	kafka  kafka.Config
	click  clickhouse.Config
	opts   []kgo.Opt
	log    *slog.Logger
	reg    prometheus.Registerer
	budget *budget
	slots  chan *slot

	metrics  *metrics
	client   *kgo.Client
	topicIDs map[string][16]byte
	failed   chan error // Has room for the first.

	mu      sync.Mutex
	workers map[partition]*worker // Guarded by mu, as all below.
	closing bool
}

type partition struct {
	topic string
	id    int32
}

// Topics returns the topics that the projector reads.
func Topics() []string { return []string{events.TopicEvents, events.TopicDecisions} }

// New returns a projector that does nothing until Run. The tables must exist: see clickhouse.Migrate. The registerer
// may be nil. Options of the Kafka client are for tests.
func New(
	cfg Config, k kafka.Config, c clickhouse.Config, log *slog.Logger, reg prometheus.Registerer, opts ...kgo.Opt,
) *Projector {
	cfg = cfg.withDefaults()
	p := &Projector{
		cfg: cfg, kafka: k, click: c, opts: opts, log: log, reg: reg,
		budget: newBudget(cfg.BufferBytes), slots: make(chan *slot, cfg.Inserters),
		failed: make(chan error, 1), workers: map[partition]*worker{},
	}
	for range cfg.Inserters {
		p.slots <- &slot{batch: newBatch(), inserter: clickhouse.NewInserter(c)}
	}
	return p
}

// Run projects until ctx ends. Then it gives the batches in hand a few seconds to finish and leaves the group. Call it
// once. It returns an error only if waiting can't help.
func (p *Projector) Run(ctx context.Context) error {
	var err error
	if err := errors.Join(p.cfg.Validate(), p.kafka.Validate(), p.click.Validate()); err != nil {
		return fmt.Errorf("projector: %w", err)
	}
	if p.metrics, err = newMetrics(p.reg); err != nil {
		return fmt.Errorf("projector metrics: %w", err)
	}
	if p.client, err = kgo.NewClient(p.options()...); err != nil {
		return fmt.Errorf("projector client: %w", err)
	}
	defer p.close()
	conn, err := clickhouse.Open(p.click)
	if err != nil {
		return fmt.Errorf("projector: %w", err)
	}
	defer conn.Close() //nolint:errcheck // Nothing is left to lose.
	owner, err := p.claim(ctx, conn)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("projector: %w", err)
	}
	if err := p.subscribe(ctx); err != nil {
		return err
	}
	guarded, stop := context.WithCancel(ctx)
	defer stop() // Before conn is closed.
	go func() {
		if err := p.guard(guarded, conn, owner); err != nil {
			select {
			case p.failed <- err:
			default:
			}
		}
	}()
	err = p.poll(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (p *Projector) group() string { return kafka.GroupProjector(p.kafka.Cluster) }

func (p *Projector) options() []kgo.Opt {
	opts := append(kafka.Options(p.kafka), kafka.ManualPartitions(), kafka.Metrics(p.reg),
		kgo.ConsumerGroup(p.group()),
		// Eager, because a worker's commits carry the generation in which it started. A cooperative member would keep
		// partitions across a rebalance, and the broker would refuse the commits of their workers.
		kgo.Balancers(kafka.LanesOnly(kgo.StickyBalancer(), p.kafka.Lanes)),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// With transaction markers as records the position reaches the end of the partition, and lag reaches zero.
		kgo.KeepControlRecords(),
		kgo.DisableAutoCommit(),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		// If the records at the position are gone, the program must stop: jumping over them would leave a silent gap.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.SessionTimeout(p.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(3*time.Second, p.cfg.SessionTimeout/5)),
		// Workers finish their batches before they give partitions up.
		kgo.RebalanceTimeout(p.stopWithin()+10*time.Second),
		// Few partitions per fetch make large batches, and large batches make few parts for ClickHouse to merge.
		kgo.FetchMaxPartitionBytes(int32(min(p.cfg.MaxBytes, 16<<20))),
		kgo.FetchMaxBytes(int32(min(p.cfg.BufferBytes/2, 32<<20))),
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.OnPartitionsAssigned(p.assigned),
		kgo.OnPartitionsRevoked(p.revoked),
		kgo.OnPartitionsLost(p.revoked),
	)
	if p.cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(p.cfg.InstanceID))
	}
	opts = append(opts, p.opts...)
	return opts
}

// subscribe reads the topic ids, which newer versions of OffsetCommit carry in place of names, and subscribes. The
// order matters: the group's callbacks need the ids.
func (p *Projector) subscribe(ctx context.Context) error {
	all, err := kadm.NewClient(p.client).ListTopics(ctx, Topics()...)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	p.topicIDs = map[string][16]byte{}
	for _, t := range Topics() {
		if d := all[t]; d.Err != nil {
			return fmt.Errorf("topic %s: %w", t, d.Err)
		}
		p.topicIDs[t] = all[t].ID
	}
	p.client.AddConsumeTopics(Topics()...)
	return nil
}

// poll passes fetched records to the workers.
func (p *Projector) poll(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-p.failed:
			cancel(err)
		case <-ctx.Done():
		}
	}()
	for {
		if err := p.budget.wait(ctx); err != nil {
			return context.Cause(ctx)
		}
		fetches := p.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var err error
		fetches.EachPartition(func(t kgo.FetchTopicPartition) {
			if lost := (*kgo.ErrGroupSession)(nil); errors.As(t.Err, &lost) && !kafka.RefusedByGroup(lost.Err) {
				// The client keeps trying to join. It has lost its partitions, and their workers have stopped.
				p.log.WarnContext(ctx, "group membership lost", slog.Any("err", lost.Err))
				return
			}
			if t.Err != nil {
				err = errors.Join(err, fmt.Errorf("fetch %s/%d: %w", t.Topic, t.Partition, t.Err))
				return
			}
			if w := p.worker(partition{t.Topic, t.Partition}); w != nil && len(t.Records) > 0 {
				w.queue.put(t.Records, t.LastStableOffset)
			}
		})
		if err != nil {
			return err
		}
		if p.budget.full() {
			p.notifyWorkers()
		}
	}
}

func (p *Projector) worker(id partition) *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers[id]
}

// notifyWorkers makes every worker check its queue. With the budget used up, each writes what it has; if all waited for
// full batches, none would ever free memory for the next fetch.
func (p *Projector) notifyWorkers() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.workers {
		w.queue.notify()
	}
}

func (p *Projector) close() {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	p.stopWorkers(nil)
	p.client.CloseAllowingRebalance()
	for range p.cfg.Inserters {
		s := <-p.slots
		if err := s.inserter.Close(); err != nil {
			p.log.Warn("connection not closed", slog.Any("err", err))
		}
	}
}
