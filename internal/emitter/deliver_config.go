package emitter

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/orderledger/orderledger/internal/webhook"
)

// DeliverConfig configures the Deliverer.
type DeliverConfig struct {
	// Endpoints receive the messages independently of one another. There may be none: then Run only waits.
	Endpoints []Endpoint
	// InstanceID makes the process a static group member: after a restart with the same id it gets its partitions back at
	// once, without a rebalance. Two running processes must not share an id. Empty means a dynamic member.
	InstanceID string
	// CommitInterval bounds how long a completed delivery stays uncommitted, and so how much a crash repeats beyond the
	// requests in flight. Zero means 100ms.
	CommitInterval time.Duration
	// SessionTimeout is how long a member may be silent before Kafka gives its partitions to others. No request starts
	// that could outlast the session, so it must exceed the timeout of each endpoint by two seconds. Zero means the
	// endpoint's timeout plus 15 seconds.
	SessionTimeout time.Duration
	// MaxPending is how many messages of one partition an endpoint may have in memory before fetching pauses. Zero means
	// 1024.
	MaxPending int
	// RecordOutcomes writes the outcome of every attempt to suborders.deliveries.v1.
	RecordOutcomes bool
}

// Endpoint is a subscriber.
type Endpoint struct {
	// Name identifies the endpoint permanently, because it is part of the consumer group's name: under another name the
	// endpoint would start from the first message again. Lower-case letters, digits, dots and dashes.
	Name string
	// URL receives the POSTs.
	URL string
	// Secrets are "whsec_" secrets, newest first; more than one while the receiver changes over to a new one. Without any,
	// messages are unsigned and have only webhook-id and webhook-timestamp.
	Secrets []string
	// Headers are added to every request.
	Headers map[string]string
	// EventTypes switches event types on or off. A type that is not listed is on.
	EventTypes map[string]bool
	// CompleteStage is the stage at which the endpoint gets SUBORDER_COMPLETE: shipped, delivered or completed. Empty
	// means shipped.
	CompleteStage string
	// Timeout bounds one attempt. Zero means 30s.
	Timeout time.Duration
	// MaxInFlight is how many requests of this process may be in flight at once. Zero means 64.
	MaxInFlight int
	// RetrySchedule holds the waits after the first, second … failure of a message; the last one repeats for ever. Each
	// wait varies at random by up to a fifth in either direction. Empty means 1s, 5s, 30s, 2m, 5m, 15m, 1h.
	RetrySchedule []time.Duration
	// RetrySlow is the shortest wait after a response whose cause only a person can repair, such as 401 or a redirect.
	// Zero means 5m.
	RetrySlow time.Duration
	// RetryAfterMax caps the wait that a receiver may request with Retry-After. Zero means 1h.
	RetryAfterMax time.Duration
}

// Stages of SUBORDER_COMPLETE.
const (
	StageShipped   = "shipped"
	StageDelivered = "delivered"
	StageCompleted = "completed"
)

// sessionMargin is the shortest time between the end of the longest request and the expiry of a silent session.
const sessionMargin = 2 * time.Second

var endpointName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

// DefaultDeliverConfig returns a configuration without endpoints.
func DefaultDeliverConfig() DeliverConfig {
	return DeliverConfig{CommitInterval: 100 * time.Millisecond, MaxPending: 1024, RecordOutcomes: true}
}

// Validate reports every problem at once.
func (c DeliverConfig) Validate() error {
	var problems []error
	seen := map[string]bool{}
	for _, e := range c.Endpoints {
		if seen[e.Name] {
			problems = append(problems, fmt.Errorf("endpoint %s is configured twice", e.Name))
		}
		seen[e.Name] = true
		if err := e.validate(); err != nil {
			problems = append(problems, fmt.Errorf("endpoint %q: %w", e.Name, err))
		}
		if e = e.withDefaults(); c.SessionTimeout != 0 && c.SessionTimeout < e.Timeout+sessionMargin {
			problems = append(problems, fmt.Errorf("endpoint %q: session timeout %s is not %s above the timeout %s",
				e.Name, c.SessionTimeout, sessionMargin, e.Timeout))
		}
	}
	if c.CommitInterval < 0 || c.SessionTimeout < 0 || c.MaxPending < 0 {
		problems = append(problems, errors.New("commit interval, session timeout and max pending must not be negative"))
	}
	return errors.Join(problems...)
}

func (e Endpoint) validate() error {
	var problems []error
	if !endpointName.MatchString(e.Name) {
		problems = append(problems, errors.New("name is not 1 to 63 lower-case letters, digits, dots and dashes"))
	}
	e = e.withDefaults()
	if !slices.Contains([]string{StageShipped, StageDelivered, StageCompleted}, e.CompleteStage) {
		problems = append(problems, fmt.Errorf("complete stage %q is not shipped, delivered or completed", e.CompleteStage))
	}
	for _, wait := range e.RetrySchedule {
		if wait <= 0 {
			problems = append(problems, fmt.Errorf("retry schedule has %s", wait))
		}
	}
	if e.RetrySlow < 0 || e.RetryAfterMax < 0 {
		problems = append(problems, errors.New("retry slow and retry after max must not be negative"))
	}
	config, err := e.webhook()
	return errors.Join(append(problems, err, config.Validate())...)
}

func (e Endpoint) webhook() (webhook.Config, error) {
	config := webhook.Config{URL: e.URL, Headers: e.Headers, Timeout: e.Timeout, MaxConns: e.MaxInFlight}
	for i, text := range e.Secrets {
		secret, err := webhook.ParseSecret(text)
		if err != nil {
			return config, fmt.Errorf("secret %d: %w", i+1, err)
		}
		config.Secrets = append(config.Secrets, secret)
	}
	return config, nil
}

func (c DeliverConfig) withDefaults() DeliverConfig {
	defaults := DefaultDeliverConfig()
	if c.CommitInterval == 0 {
		c.CommitInterval = defaults.CommitInterval
	}
	if c.MaxPending == 0 {
		c.MaxPending = defaults.MaxPending
	}
	return c
}

func (e Endpoint) withDefaults() Endpoint {
	if e.CompleteStage == "" {
		e.CompleteStage = StageShipped
	}
	if e.Timeout == 0 {
		e.Timeout = 30 * time.Second
	}
	if e.MaxInFlight == 0 {
		e.MaxInFlight = 64
	}
	if len(e.RetrySchedule) == 0 {
		e.RetrySchedule = []time.Duration{
			time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour,
		}
	}
	if e.RetrySlow == 0 {
		e.RetrySlow = 5 * time.Minute
	}
	if e.RetryAfterMax == 0 {
		e.RetryAfterMax = time.Hour
	}
	return e
}
