package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/orderledger/orderledger/internal/webhook"
)

// Secret signs the pushes of the demo; its receiver verifies them.
const Secret = "whsec_ZGVtby1vcmRlcmxlZGdlci1kZW1vLW9yZGVybGVkZ2Vy" //nolint:gosec // Made for the demo.

// Receiver is a fulfilment system as the demo has it: it verifies signatures and counts what it gets.
type Receiver struct {
	secret   webhook.Secret
	mu       sync.Mutex // Protects all that follows.
	last     map[string]int64
	types    map[string]int
	wrong    int
	disorder int
	repeats  int
	sample   Push
}

// Push is one request that arrived.
type Push struct {
	Header http.Header
	Body   []byte
}

// NewReceiver returns a receiver that has nothing yet.
func NewReceiver() (*Receiver, error) {
	secret, err := webhook.ParseSecret(Secret)
	if err != nil {
		return nil, fmt.Errorf("secret of the receiver: %w", err)
	}
	return &Receiver{secret: secret, last: map[string]int64{}, types: map[string]int{}}, nil
}

// ServeHTTP takes a push: 401 when its signature is wrong, else 200.
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

// Counts is what a receiver got.
type Counts struct {
	// Types counts distinct messages by event type.
	Types map[string]int
	// Wrong counts pushes whose signature or body was not right, Disorder those that came after a later one of their
	// suborder, Repeats those that came again.
	Wrong, Disorder, Repeats int
	// Sample is the first SUBORDER_COMPLETE.
	Sample Push
}

// Counts returns what came so far.
func (r *Receiver) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	types := make(map[string]int, len(r.types))
	for k, v := range r.types {
		types[k] = v
	}
	return Counts{Types: types, Wrong: r.wrong, Disorder: r.disorder, Repeats: r.repeats, Sample: r.sample}
}
