package emitter

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
)

// Config is the configuration of both stages.
type Config struct {
	Translate TranslateConfig
	Deliver   DeliverConfig
}

// DefaultConfig returns a configuration that translates and has nobody to deliver to.
func DefaultConfig() Config {
	return Config{Translate: DefaultTranslateConfig(), Deliver: DefaultDeliverConfig()}
}

// Validate reports every problem of both stages at once.
func (c Config) Validate() error {
	return errors.Join(c.Translate.Validate(), c.Deliver.Validate())
}

// Emitter is both stages in one process. They meet in suborders.v1 only, so they may as well run apart.
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

// Units returns the stages as units of a program. The translator is behind the deliverer, so it stops first: what it
// has made is still delivered while the deliverer finishes what it has in hand.
func (e *Emitter) Units() []service.Unit {
	return []service.Unit{
		{Name: "deliver", Run: e.deliverer.Run},
		{Name: "translate", Run: e.translator.Run},
	}
}

// Close ends both stages and waits for them. It may be called more than once and without running them.
func (e *Emitter) Close() error {
	err := e.translator.Close()
	e.deliverer.Close()
	if err != nil {
		return fmt.Errorf("close translator: %w", err)
	}
	return nil
}
