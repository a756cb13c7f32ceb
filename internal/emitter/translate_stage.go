package emitter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/pubsub"
)

// TranslateConfig says how events become messages.
type TranslateConfig struct {
	// Channels are the settings of the sellers' channels.
	Channels Channels
	// InstanceID makes the process a static group member: after a restart under the same id it has its lanes back at
	// once. Two living processes must not share one. Empty means dynamic.
	InstanceID string
	// SessionTimeout is after how much silence Kafka gives a member's lanes to others. Zero means 10s.
	SessionTimeout time.Duration
	// CommitInterval is how long what was translated stays uncommitted at most, and so how much is repeated after a
	// crash. Zero means 100ms.
	CommitInterval time.Duration
	// DrainTimeout is how long a message in hand may take when its lane goes to another process, or at the end. Zero
	// means 5s.
	DrainTimeout time.Duration
}

// DefaultTranslateConfig returns the configuration in which every zero is written out.
func DefaultTranslateConfig() TranslateConfig {
	return TranslateConfig{CommitInterval: 100 * time.Millisecond, DrainTimeout: 5 * time.Second}
}

// Validate reports every problem at once.
func (c TranslateConfig) Validate() error {
	problems := []error{c.Channels.Validate()}
	if c.SessionTimeout < 0 || c.CommitInterval < 0 || c.DrainTimeout < 0 {
		problems = append(problems, errors.New("translate: session timeout, commit interval and drain timeout must not be negative"))
	}
	return errors.Join(problems...)
}

// Translator turns the ledger's events into messages, lane by lane: a message goes into the partition of suborders.v1
// that has the number of its event's lane, so their order is the ledger's. Its position is committed behind what was
// written; after a crash it repeats itself from there, under the same ids, which readers drop.
type Translator struct {
	config  TranslateConfig
	profile Profile
	brokers kafka.Config
	options []kgo.Opt
	metrics *translateMetrics
	reg     prometheus.Registerer
	log     *slog.Logger

	mu     sync.Mutex
	stop   context.CancelFunc // Set while Run is running; guarded by mu.
	ended  chan struct{}      // Closed when Run has returned; guarded by mu.
	closed bool               // Guarded by mu.
}

// NewTranslator returns a translator that does nothing before Run. The log and the registerer may be nil. Further
// options are appended to those of every Kafka client it makes.
func NewTranslator(
	config TranslateConfig, brokers kafka.Config, log *slog.Logger, reg prometheus.Registerer, options ...kgo.Opt,
) (*Translator, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("translator: %w", err)
	}
	metrics, err := newTranslateMetrics(reg)
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Translator{
		config: config, profile: Profile752255250(), brokers: brokers, options: options, metrics: metrics, reg: reg, log: log,
	}, nil
}

var errTranslatorClosed = errors.New("translator is closed or running")

// Run translates until ctx ends: then nothing new is taken, what is in hand is written and committed, and the clients
// are closed. It can be called once.
func (t *Translator) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	t.mu.Lock()
	if t.closed || t.stop != nil {
		t.mu.Unlock()
		return errTranslatorClosed
	}
	t.stop, t.ended = stop, make(chan struct{})
	defer close(t.ended)
	t.mu.Unlock()

	subscriber, err := pubsub.NewSubscriber(t.subscriberConfig())
	if err != nil {
		return fmt.Errorf("translate: %w", err)
	}
	defer subscriber.Close() //nolint:errcheck // It has closed with the router already, and reports nothing.
	messages, err := pubsub.NewPublisher(pubsub.Config{
		Client: t.clientOptions("suborders"), UUIDHeader: events.HeaderID, Log: t.log, ExplicitPartitions: true,
	})
	if err != nil {
		return fmt.Errorf("translate: %w", err)
	}
	defer messages.Close() //nolint:errcheck // As above.
	deadLetters, err := kgo.NewClient(append(t.clientOptions("deadletters"), kafka.ManualPartitions())...)
	if err != nil {
		return fmt.Errorf("translate: client for %s: %w", events.TopicDeadLetters, err)
	}
	defer deadLetters.Close()

	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: 2 * t.drainTimeout()}, routerLog{log: t.log})
	if err != nil {
		return fmt.Errorf("translate: router: %w", err)
	}
	router.AddHandler("translate", events.TopicEvents, subscriber, events.TopicSuborders, messages,
		//nolint:contextcheck // A message brings its own: it ends with the message, not with the router.
		func(in *message.Message) ([]*message.Message, error) { return t.handle(in, deadLetters) })
	if err := router.Run(ctx); err != nil {
		return fmt.Errorf("translate: %w", err)
	}
	if ctx.Err() == nil {
		return errors.New("translate: the subscription ended by itself")
	}
	return nil
}

// Close ends Run as the end of its context does and waits for it. It may be called more than once and without Run.
func (t *Translator) Close() error {
	t.mu.Lock()
	t.closed = true
	stop, ended := t.stop, t.ended
	t.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
	return nil
}

func (t *Translator) subscriberConfig() pubsub.Config {
	return pubsub.Config{
		// Each transaction ends in a marker, which takes an offset. Only who reads markers can commit the end of the log,
		// and so tell those who wait for it that nothing is left.
		Client:         append(t.clientOptions("events"), kgo.KeepControlRecords()),
		UUIDHeader:     events.HeaderID,
		Log:            t.log,
		Registerer:     t.reg,
		Group:          kafka.GroupTranslate(t.brokers.Cluster),
		InstanceID:     t.config.InstanceID,
		SessionTimeout: t.config.SessionTimeout,
		CommitInterval: t.config.CommitInterval,
		DrainTimeout:   t.config.DrainTimeout,
	}
}

func (t *Translator) clientOptions(name string) []kgo.Opt {
	options := append(kafka.Options(t.brokers), kafka.Logging(t.log), kgo.ClientID(t.brokers.ClientID+"-translate-"+name))
	return append(append(options, kafka.Metrics(t.reg)), t.options...)
}

func (t *Translator) drainTimeout() time.Duration {
	if t.config.DrainTimeout > 0 {
		return t.config.DrainTimeout
	}
	return DefaultTranslateConfig().DrainTimeout
}
