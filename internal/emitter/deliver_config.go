package emitter

import (
	"errors"
	"fmt"
	"time"

	"github.com/orderledger/orderledger/internal/setting"
)

// EnvSessionTimeout is the variable of both session timeouts; cmd/emitter reads it.
const EnvSessionTimeout = "ORDERLEDGER_EMITTER_SESSION_TIMEOUT"

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
	// StopTimeout is how long a stop waits for the requests in flight before it cancels them; the successor repeats those.
	// It must leave time for the last commit, because a program that stops too slowly is killed. Zero means 10s.
	StopTimeout time.Duration
	// MaxPending is how many messages of one partition an endpoint may have in memory before fetching pauses. Zero means
	// 1024.
	MaxPending int
	// RecordOutcomes writes the outcome of every attempt to suborders.deliveries.v1.
	RecordOutcomes bool
}

// sessionMargin is the shortest time between the end of the longest request and the expiry of a silent session.
const sessionMargin = 2 * time.Second

// DefaultDeliverConfig returns a configuration without endpoints.
func DefaultDeliverConfig() DeliverConfig {
	return DeliverConfig{
		CommitInterval: 100 * time.Millisecond, StopTimeout: 10 * time.Second, MaxPending: 1024, RecordOutcomes: true,
	}
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
		if err := e.Validate(); err != nil {
			problems = append(problems, fmt.Errorf("endpoint %q: %w", e.Name, err))
		}
		if e = e.withDefaults(); c.SessionTimeout > 0 && c.SessionTimeout < e.Timeout+sessionMargin {
			problems = append(problems, setting.Invalid(EnvSessionTimeout, "%s: want at least %s above the timeout %s of "+
				"endpoint %q", c.SessionTimeout, sessionMargin, e.Timeout, e.Name))
		}
	}
	if c.SessionTimeout < 0 {
		problems = append(problems, setting.Invalid(EnvSessionTimeout, "%s: want 0 (the default) or more", c.SessionTimeout))
	}
	if c.CommitInterval < 0 || c.StopTimeout < 0 || c.MaxPending < 0 {
		problems = append(problems, errors.New("commit interval, stop timeout and max pending must not be negative"))
	}
	return errors.Join(problems...)
}

func (c DeliverConfig) withDefaults() DeliverConfig {
	defaults := DefaultDeliverConfig()
	if c.CommitInterval == 0 {
		c.CommitInterval = defaults.CommitInterval
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = defaults.StopTimeout
	}
	if c.MaxPending == 0 {
		c.MaxPending = defaults.MaxPending
	}
	return c
}
