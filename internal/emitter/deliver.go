package emitter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/orderledger/orderledger/internal/kafka"
)

// Deliverer sends the messages of suborders.v1 to the endpoints. Each endpoint has a worker and a consumer group of its
// own.
type Deliverer struct {
	workers   []*endpointWorker
	outcomes  *outcomes // Nil when they are not recorded.
	lifecycle lifecycle
}

// NewDeliverer returns a deliverer that does nothing before Run. The log and the registerer may be nil. The further
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
		group := kafka.GroupEndpoint(brokers.Cluster, endpoint.Name)
		w, err := newEndpointWorker(config, endpoint, group, options, metrics, d.outcomes, log)
		if err != nil {
			return nil, fmt.Errorf("endpoint %s: %w", endpoint.Name, err)
		}
		d.workers = append(d.workers, w)
	}
	return d, nil
}

// Run delivers until ctx ends and then stops in order: it starts no more requests, waits for those in flight up to
// StopTimeout, commits the positions and closes the clients. It returns an error when the worker of an endpoint cannot
// continue. It can be called once.
func (d *Deliverer) Run(ctx context.Context) error {
	ctx, end, err := d.lifecycle.start(ctx)
	if err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	defer end()
	if d.outcomes != nil {
		if err := d.outcomes.open(); err != nil {
			return fmt.Errorf("deliver: %w", err)
		}
		defer d.outcomes.close() //nolint:contextcheck // It runs after the context has ended.
	}
	group, ctx := errgroup.WithContext(ctx)
	// Without endpoints Run only waits, so that the other units of the program keep running.
	group.Go(func() error { <-ctx.Done(); return nil })
	for _, w := range d.workers {
		if missing := w.endpoint.Scope.Missing(); len(missing) > 0 {
			// It does not even read, so that its position is still there when it gets a scope.
			w.log.LogAttrs(ctx, slog.LevelWarn, "endpoint disabled, its scope is incomplete", slog.Any("missing", missing))
			continue
		}
		group.Go(func() error {
			if err := w.run(ctx); err != nil {
				return fmt.Errorf("deliver to %s: %w", w.endpoint.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// Ready returns an error for the endpoints that get nothing because their start cannot be committed.
func (d *Deliverer) Ready() error {
	var problems []error
	for _, w := range d.workers {
		if problem := w.startState.problem.Load(); problem != nil {
			problems = append(problems, fmt.Errorf("endpoint %s: %w", w.endpoint.Name, *problem))
		}
	}
	return errors.Join(problems...)
}

// Close ends Run as if its context had ended, and waits for it. It is idempotent and may be called without Run.
func (d *Deliverer) Close() { d.lifecycle.close() }
