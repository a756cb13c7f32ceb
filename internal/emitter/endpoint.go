package emitter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/webhook"
)

// Endpoint is a subscriber: its URL, its credentials, its filter and how failed messages are retried.
type Endpoint struct {
	// Name identifies the endpoint permanently, because it is part of the consumer group's name: an endpoint with
	// another name is a new one. Lower-case letters, digits, dots and dashes.
	Name string
	// URL receives the POSTs.
	URL string
	// Secrets are "whsec_" secrets, newest first; more than one while the receiver changes over to a new one. Without any,
	// messages are unsigned and have only webhook-id and webhook-timestamp.
	Secrets []string
	// Headers are added to every request.
	Headers map[string]string
	// Scope names the sellers, locations and channels that the endpoint may see. An endpoint whose scope lacks one of the
	// three gets nothing, and its position does not move.
	Scope Scope
	// Start says where the endpoint starts while its group has no position: StartNow, StartEarliest, a time as in RFC
	// 3339, or offsets as in "offsets 0=120, 1=98", which name every partition. With StartNow and a time it gets nothing
	// of suborders that the ledger recorded before that. Empty means StartNow. It has no effect on an endpoint with a
	// position.
	Start string
	// Forgotten says what to do when the endpoint has started before, but Kafka has forgotten its positions:
	// ForgottenWait, ForgottenStart or ForgottenRepeat. Empty means ForgottenWait.
	Forgotten string
	// History lets the endpoint get the messages of shipments that were imported as history. Otherwise it gets nothing of
	// them: they are over, and a fulfilment system would ship them again.
	History bool
	// EventTypes switches event types on or off. A type that is not listed is on.
	EventTypes map[string]bool
	// CompleteStage is the stage at which the endpoint gets SUBORDER_COMPLETE: shipped, delivered or completed. Empty
	// means shipped.
	CompleteStage string
	// BodyRule says whether the body of a 2xx response may report an error: BodyHasError or BodyIgnored. Empty means
	// BodyHasError, the rule of the profile.
	BodyRule string
	// Timeout bounds one attempt. Zero means 45s.
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

// Rules for the body of a 2xx response.
const (
	// BodyHasError: the message was not accepted if the body is a JSON object whose hasError is true.
	BodyHasError = "has_error"
	// BodyIgnored: only the status counts.
	BodyIgnored = "ignored"
)

// Stages of SUBORDER_COMPLETE.
const (
	StageShipped   = "shipped"
	StageDelivered = "delivered"
	StageCompleted = "completed"
)

var endpointName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

// ParseEndpoint parses name=URL, or a URL alone, into an endpoint with default settings. Without a name, the host and
// the path of the URL become the name. The name identifies the endpoint permanently: an endpoint without an explicit
// name is a new one when its URL changes.
func ParseEndpoint(text string) (Endpoint, error) {
	if name, rest, named := strings.Cut(text, "="); named && endpointName.MatchString(name) {
		return Endpoint{Name: name, URL: rest}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		// The error of url.Parse contains the URL, which may contain a token.
		return Endpoint{}, errors.New("endpoint: want name=URL or a URL")
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.':
			return r
		}
		return '-'
	}, strings.ToLower(u.Host+u.Path))
	name = strings.Trim(name, "-.")
	if !endpointName.MatchString(name) {
		return Endpoint{}, fmt.Errorf("endpoint %s: its URL does not make a valid name; write name=URL", u.Host)
	}
	return Endpoint{Name: name, URL: text}, nil
}

// Validate reports every problem of the settings.
func (e Endpoint) Validate() error {
	var problems []error
	if !endpointName.MatchString(e.Name) {
		problems = append(problems, errors.New("name is not 1 to 63 lower-case letters, digits, dots and dashes"))
	}
	e = e.withDefaults()
	if !slices.Contains([]string{StageShipped, StageDelivered, StageCompleted}, e.CompleteStage) {
		problems = append(problems, fmt.Errorf("complete stage %q is not shipped, delivered or completed", e.CompleteStage))
	}
	if e.BodyRule != BodyHasError && e.BodyRule != BodyIgnored {
		problems = append(problems, fmt.Errorf("body rule %q is not %s or %s", e.BodyRule, BodyHasError, BodyIgnored))
	}
	if err := e.Scope.validate(); err != nil {
		problems = append(problems, err)
	}
	if _, err := e.startTime(time.Time{}); err != nil {
		problems = append(problems, err)
	}
	if !slices.Contains([]string{"", ForgottenWait, ForgottenStart, ForgottenRepeat}, e.Forgotten) {
		problems = append(problems, fmt.Errorf("forgotten %q is not %s, %s or %s",
			e.Forgotten, ForgottenWait, ForgottenStart, ForgottenRepeat))
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
	if e.BodyRule == BodyHasError {
		config.ErrorField = Profile752255250().ErrorField
	}
	for i, text := range e.Secrets {
		secret, err := webhook.ParseSecret(text)
		if err != nil {
			return config, fmt.Errorf("secret %d: %w", i+1, err)
		}
		config.Secrets = append(config.Secrets, secret)
	}
	return config, nil
}

func (e Endpoint) withDefaults() Endpoint {
	if e.CompleteStage == "" {
		e.CompleteStage = StageShipped
	}
	if e.BodyRule == "" {
		e.BodyRule = BodyHasError
	}
	if e.Timeout == 0 {
		e.Timeout = 45 * time.Second
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

// excludes returns why a message is not for the endpoint, or "" if it is; then it has the form that the endpoint gets.
// The reasons are values of a metric label. The start is that of the endpoint, see startTime.
func (e *Endpoint) excludes(m *outbound, start int64) string {
	switch {
	case !e.Scope.includes(m):
		return "out_of_scope"
	case m.history && !e.History:
		return "history"
	case m.created < start:
		return "before_start"
	case !e.adapt(m):
		return "not_taken"
	}
	return ""
}

// adapt reports whether a message passes the endpoint's filter, and turns it into the form that this endpoint gets.
//
// A suborder reaches each stage once, and exactly one COMPLETE lists that stage, so the endpoint gets exactly one
// COMPLETE, even if a fact skipped some stages. Any other COMPLETE is either dropped or sent as the event type that the
// message names for this case. After its stage the endpoint gets no more updates of properties. The result depends only
// on the record and the endpoint, so every attempt sends the same bytes.
func (e *Endpoint) adapt(m *outbound) bool {
	if e.waitsFor(m.reached) {
		return false
	}
	if m.eventType == SuborderComplete && (!e.on(SuborderComplete) || !e.waitsFor(m.stages)) {
		if m.otherwise == "" || !e.on(m.otherwise) {
			return false
		}
		m.body = Retype(m.body, m.eventType, m.otherwise)
		m.eventType = m.otherwise
		return true
	}
	return e.on(m.eventType)
}

func (e *Endpoint) on(eventType string) bool {
	on, named := e.EventTypes[eventType]
	return on || !named
}

func (e *Endpoint) waitsFor(stages string) bool {
	for stage := range strings.SplitSeq(stages, ",") {
		if stage == e.CompleteStage {
			return true
		}
	}
	return false
}

// wait returns how long a queue waits after its head has failed that many times.
//
// The scheduled wait varies by up to a fifth in either direction; otherwise all messages that failed together would be
// retried together. A receiver's Retry-After replaces the schedule. It may shorten the wait, but not below the first
// step of the schedule, and lengthen it, but not beyond RetryAfterMax. A requested wait varies upwards only, because
// the receiver asked us not to come earlier.
func (e *Endpoint) wait(verdict webhook.Verdict, attempts int, retryAfter time.Duration) time.Duration {
	first := e.RetrySchedule[0]
	step := e.RetrySchedule[min(attempts, len(e.RetrySchedule))-1]
	if verdict == webhook.RetrySlow {
		first, step = max(first, e.RetrySlow), max(step, e.RetrySlow)
	}
	if retryAfter > 0 {
		step = max(min(retryAfter, e.RetryAfterMax), first)
		return step + time.Duration(rand.Int64N(int64(step)/5+1))
	}
	return step - step/5 + time.Duration(rand.Int64N(int64(step)*2/5+1))
}
