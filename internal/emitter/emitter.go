package emitter

import (
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
)

// Config configures both stages.
type Config struct {
	Translate TranslateConfig
	Deliver   DeliverConfig
}

// DefaultConfig returns a configuration without endpoints.
func DefaultConfig() Config {
	return Config{Translate: DefaultTranslateConfig(), Deliver: DefaultDeliverConfig()}
}

// Validate reports every problem of both stages at once.
func (c Config) Validate() error {
	return errors.Join(c.Translate.Validate(), c.Deliver.Validate())
}

// Emitter runs both stages in one process. They share only the topic suborders.v1, so they could also run in separate
// processes.
type Emitter struct {
	translator *Translator
	deliverer  *Deliverer
}

// New returns an emitter that does nothing before its units run. The log and the registerer may be nil.
func New(config Config, brokers kafka.Config, log *slog.Logger, reg prometheus.Registerer) (*Emitter, error) {
	translator, err := NewTranslator(config.Translate, brokers, log, reg)
	if err != nil {
		return nil, err
	}
	deliverer, err := NewDeliverer(config.Deliver, brokers, log, reg)
	if err != nil {
		return nil, err
	}
	return &Emitter{translator: translator, deliverer: deliverer}, nil
}

// Units returns the stages as units of a program. Units stop in reverse order, so the translator stops first, and the
// deliverer can still send messages that the translator wrote last.
func (e *Emitter) Units() []service.Unit {
	return []service.Unit{
		{Name: "deliver", Run: e.deliverer.Run},
		{Name: "translate", Run: e.translator.Run},
	}
}

// Ready returns an error that says which endpoints cannot start.
func (e *Emitter) Ready() error { return e.deliverer.Ready() }

// Close ends both stages and waits for them. It is idempotent and may be called without running the units.
func (e *Emitter) Close() {
	e.translator.Close()
	e.deliverer.Close()
}
