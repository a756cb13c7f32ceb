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

// New returns a projector that does nothing until Run. The tables must be there: see clickhouse.Migrate. The registerer
// may be nil. Options of the Kafka client are for tests.
func New(cfg Config, k kafka.Config, c clickhouse.Config, log *slog.Logger, reg prometheus.Registerer, opts ...kgo.Opt) *Projector {
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

// Run projects until ctx ends, then lets the batches in hand finish for a moment, and leaves the group. It is to be
// called once. It returns an error for what waiting does not mend.
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
	if err := p.learnTopics(ctx); err != nil {
		return err
	}
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
		// Eager: a worker lives within one generation, which its commits carry. A cooperative member would keep
		// partitions over a rebalance and its workers would be fenced.
		kgo.Balancers(kgo.StickyBalancer()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Markers are records too: with them the position reaches the end of the partition, and lag goes to zero.
		kgo.KeepControlRecords(),
		kgo.DisableAutoCommit(),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		// A position that is gone must be seen, not jumped over.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.SessionTimeout(p.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(3*time.Second, p.cfg.SessionTimeout/5)),
		// Workers finish what they write before they let go.
		kgo.RebalanceTimeout(p.stopWithin()+10*time.Second),
		// Large fetches of few partitions make large batches.
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

// learnTopics reads the ids of the topics, which newer brokers want in place of names, and begins to consume: only now,
// because the callbacks of the group need the ids.
func (p *Projector) learnTopics(ctx context.Context) error {
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

// poll hands what is fetched to the workers.
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
				// The client goes on trying. Its partitions are lost by now, and their workers have been stopped.
				p.log.WarnContext(ctx, "out of the group, joining it again", slog.Any("err", lost.Err))
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
			p.pokeAll()
		}
	}
}

func (p *Projector) worker(id partition) *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers[id]
}

// pokeAll makes the workers look again: with the budget used up they take what they have.
func (p *Projector) pokeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.workers {
		w.queue.poke()
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
