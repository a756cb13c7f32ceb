package emitter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/pubsub"
)

// TranslateConfig configures the Translator.
type TranslateConfig struct {
	// Channels holds the settings of the sellers' channels.
	Channels Channels
	// InstanceID makes the process a static group member: after a restart with the same id it gets its lanes back at once.
	// Two running processes must not share an id. Empty means a dynamic member.
	InstanceID string
	// SessionTimeout is how long a member may be silent before Kafka gives its lanes to others. Zero means 10s.
	SessionTimeout time.Duration
	// CommitInterval bounds how long a translated event stays uncommitted, and so how much a crash repeats. Zero means
	// 100ms.
	CommitInterval time.Duration
	// DrainTimeout is how long the translator may keep working on an event after its lane was revoked, or after Run was
	// stopped. Zero means 5s.
	DrainTimeout time.Duration
}

// DefaultTranslateConfig returns a configuration without channels.
func DefaultTranslateConfig() TranslateConfig {
	return TranslateConfig{CommitInterval: 100 * time.Millisecond, DrainTimeout: 5 * time.Second}
}

// Validate reports every problem at once.
func (c TranslateConfig) Validate() error {
	problems := []error{c.Channels.Validate()}
	if c.SessionTimeout < 0 || c.CommitInterval < 0 || c.DrainTimeout < 0 {
		problems = append(problems,
			errors.New("translate: session timeout, commit interval and drain timeout must not be negative"))
	}
	return errors.Join(problems...)
}

// Translator turns the events of the ledger into messages. It writes a message to the partition of suborders.v1 that
// has the number of the event's lane, so that messages keep the order of the ledger. It commits its position after the
// messages are written. After a crash it continues from that position, and numbers (see there) says which messages are
// written already. A message that is written twice all the same has the same id and number, and readers drop it.
type Translator struct {
	config    TranslateConfig
	profile   Profile
	brokers   kafka.Config
	options   []kgo.Opt
	metrics   *translateMetrics
	numbers   *numbers
	reg       prometheus.Registerer
	log       *slog.Logger
	lifecycle lifecycle
	// publishTimeout bounds one write; zero means the publisher's default. Tests shorten it.
	publishTimeout time.Duration
}

// NewTranslator returns a translator that does nothing before Run. The log and the registerer may be nil. The further
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
	t := &Translator{
		config: config, profile: Profile752255250(), brokers: brokers, options: options,
		metrics: metrics, reg: reg, log: log,
	}
	t.numbers = newNumbers(t.profile.Name, log, func(more ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append(t.clientOptions("numbers"), more...)...)
	})
	return t, nil
}

// Run translates until ctx ends and then stops in order: it takes no more events, writes and commits those in progress,
// and closes the clients. It can be called once.
func (t *Translator) Run(ctx context.Context) error {
	ctx, end, err := t.lifecycle.start(ctx)
	if err != nil {
		return fmt.Errorf("translate: %w", err)
	}
	defer end()
	subscriber, err := pubsub.NewSubscriber(t.subscriberConfig())
	if err != nil {
		return fmt.Errorf("translate: %w", err)
	}
	defer subscriber.Close() //nolint:errcheck // The router has closed it already.
	messages, err := pubsub.NewPublisher(pubsub.Config{
		Client: t.clientOptions("suborders"), UUIDHeader: events.HeaderID, Log: t.log, ExplicitPartitions: true,
		Published: published, PublishTimeout: t.publishTimeout,
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
		//nolint:contextcheck // The context of a message ends with the message, not with the router.
		func(in *message.Message) ([]*message.Message, error) { return t.handle(in, deadLetters) })
	if err := router.Run(ctx); err != nil {
		return fmt.Errorf("translate: %w", err)
	}
	if ctx.Err() == nil {
		return errors.New("translate: subscription ended unexpectedly")
	}
	return nil
}

// Close ends Run as if its context had ended, and waits for it. It is idempotent and may be called without Run.
func (t *Translator) Close() { t.lifecycle.close() }

func (t *Translator) subscriberConfig() pubsub.Config {
	return pubsub.Config{
		// Each transaction ends with a marker, which occupies an offset. Only a consumer that reads markers can commit the
		// end of the log, and programs wait for that commit to know that everything is translated.
		Client:         append(t.clientOptions("events"), kgo.KeepControlRecords()),
		UUIDHeader:     events.HeaderID,
		Log:            t.log,
		Registerer:     t.reg,
		Group:          kafka.GroupTranslate(t.brokers.Cluster),
		Assigned:       t.numbers.assigned,
		Metadata:       t.numbers.metadata,
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

// routerLog logs what the router reports. It drops most fields, because one of them is the whole message, which
// contains the address of a customer.
type routerLog struct{ log *slog.Logger }

// Error implements watermill.LoggerAdapter. It logs a warning, because the router gets the record again after a
// backoff.
func (l routerLog) Error(msg string, err error, fields watermill.LogFields) {
	l.log.LogAttrs(context.Background(), slog.LevelWarn, "translation interrupted", slog.String("step", msg),
		slog.Any("event_id", fields["message_uuid"]), slog.Any("err", err))
}

// Info implements watermill.LoggerAdapter.
func (l routerLog) Info(msg string, _ watermill.LogFields) {
	l.log.LogAttrs(context.Background(), slog.LevelDebug, "translation router logged", slog.String("step", msg))
}

// Debug implements watermill.LoggerAdapter.
func (routerLog) Debug(string, watermill.LogFields) {}

// Trace implements watermill.LoggerAdapter.
func (routerLog) Trace(string, watermill.LogFields) {}

// With implements watermill.LoggerAdapter.
func (l routerLog) With(watermill.LogFields) watermill.LoggerAdapter { return l }
