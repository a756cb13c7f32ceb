package emitter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/orderledger/orderledger/internal/kafka"
)

// Deliverer sends the messages of suborders.v1 to every endpoint, each in its own consumer group.
type Deliverer struct {
	couriers []*courier
	outcomes *outcomes // nil when they are not recorded

	mu     sync.Mutex
	stop   context.CancelFunc // set while Run is running; guarded by mu
	ended  chan struct{}      // closed when Run has returned; guarded by mu
	closed bool               // guarded by mu
}

// NewDeliverer returns a deliverer that does nothing before Run. The log and the registerer may be nil. Further
// options are appended to those of every Kafka client it makes.
func NewDeliverer(
	config DeliverConfig, brokers kafka.Config, log *slog.Logger, reg prometheus.Registerer, options ...kgo.Opt,
) (*Deliverer, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("deliverer: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	config = config.withDefaults()
	options = append(append(kafka.Options(brokers), kafka.Logging(log)), options...)
	d := &Deliverer{}
	metrics, err := newDeliverMetrics(reg, newLevelCollector(d))
	if err != nil {
		return nil, err
	}
	if config.RecordOutcomes {
		d.outcomes = newOutcomes(options, metrics, log)
	}
	for _, endpoint := range config.Endpoints {
		c, err := newCourier(config, endpoint, kafka.GroupEndpoint(brokers.Cluster, endpoint.Name), options, metrics, d.outcomes, log)
		if err != nil {
			return nil, fmt.Errorf("endpoint %s: %w", endpoint.Name, err)
		}
		d.couriers = append(d.couriers, c)
	}
	return d, nil
}

// errClosed is returned by Run after Close or while it is running already.
var errClosed = errors.New("deliverer is closed or running")

// Run delivers until ctx ends and then stops in order: no new requests, those in flight are waited for up to their
// timeout, positions are committed, clients are closed. It returns an error when an endpoint cannot go on by itself.
// It can be called once.
func (d *Deliverer) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d.mu.Lock()
	if d.closed || d.stop != nil {
		d.mu.Unlock()
		return errClosed
	}
	d.stop, d.ended = stop, make(chan struct{})
	defer close(d.ended)
	d.mu.Unlock()

	if d.outcomes != nil {
		if err := d.outcomes.open(); err != nil {
			return err
		}
		defer d.outcomes.close() //nolint:contextcheck // It runs after the context has ended.
	}
	group, ctx := errgroup.WithContext(ctx)
	// Without endpoints there is nothing to do and still nothing wrong.
	group.Go(func() error { <-ctx.Done(); return nil })
	for _, c := range d.couriers {
		group.Go(func() error {
			if err := c.run(ctx); err != nil {
				return fmt.Errorf("deliver to %s: %w", c.endpoint.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// Close ends Run as the end of its context does and waits for it. It may be called more than once and without Run.
func (d *Deliverer) Close() {
	d.mu.Lock()
	d.closed = true
	stop, ended := d.stop, d.ended
	d.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
}
