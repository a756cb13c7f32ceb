package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/orderledger/orderledger/internal/webhook"
)

// Secret signs the webhook requests of the demo; its receiver verifies them.
const Secret = "whsec_ZGVtby1vcmRlcmxlZGdlci1kZW1vLW9yZGVybGVkZ2Vy" //nolint:gosec // Made for the demo.

// Receiver is the demo's fulfilment system: it verifies signatures and counts messages.
type Receiver struct {
	secret   webhook.Secret
	mu       sync.Mutex // Protects the fields below.
	last     map[string]int64
	types    map[string]int
	wrong    int
	disorder int
	repeats  int
	sample   Push
}

// Push is one webhook request.
type Push struct {
	Header http.Header
	Body   []byte
}

// NewReceiver returns a receiver whose counts are zero.
func NewReceiver() (*Receiver, error) {
	secret, err := webhook.ParseSecret(Secret)
	if err != nil {
		return nil, fmt.Errorf("secret of the receiver: %w", err)
	}
	return &Receiver{secret: secret, last: map[string]int64{}, types: map[string]int{}}, nil
}

// ServeHTTP accepts a webhook request: 401 if its signature is wrong, else 200.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	var message struct {
		MessageID            int64 `json:"messageId"`
		OrderCode, EventType string
	}
	if err == nil {
		err = webhook.Verify(req.Header, body, time.Now(), 5*time.Minute, r.secret)
	}
	if err == nil {
		err = json.Unmarshal(body, &message)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.wrong++
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	switch last := r.last[message.OrderCode]; {
	case message.MessageID == last:
		r.repeats++
	case message.MessageID < last:
		r.disorder++
	default:
		r.last[message.OrderCode] = message.MessageID
		r.types[message.EventType]++
	}
	if r.sample.Body == nil && message.EventType == "SUBORDER_COMPLETE" {
		r.sample = Push{Header: req.Header.Clone(), Body: body}
	}
}

// Counts is what a receiver has received.
type Counts struct {
	// Types counts distinct messages by event type.
	Types map[string]int
	// Wrong counts requests with a wrong signature or body, Disorder those that arrived after a later one of their
	// suborder, Repeats those that arrived again.
	Wrong, Disorder, Repeats int
	// Sample is the first SUBORDER_COMPLETE.
	Sample Push
}

// Counts returns the counts so far.
func (r *Receiver) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Counts{Types: maps.Clone(r.types), Wrong: r.wrong, Disorder: r.disorder, Repeats: r.repeats, Sample: r.sample}
}
