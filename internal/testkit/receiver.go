package testkit

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// Received is one request that a Receiver got.
type Received struct {
	OrderCode string
	MessageID int64
	EventType string
	Header    http.Header
	Body      []byte
	Status    int // Of the answer; 0 when the connection was cut instead.
}

// Failure is what a Receiver does instead of answering 200.
type Failure struct {
	// Status is the status of the answer; 0 cuts the connection without an answer.
	Status int
	// Header is added to the answer.
	Header http.Header
	// Body is the body of the answer. With one, a 2xx does not accept the message.
	Body string
	// Hold, when not nil, delays the answer until it is closed or the sender gives up.
	Hold <-chan struct{}
	// Times is the number of requests that fail; 0 means one, a negative number all of them.
	Times int
}

// Receiver is an external fulfilment system that checks what it receives: the webhook-id is the message's id, the
// signature is right (by the official library), repeats are equal byte for byte, and the messages of a suborder arrive
// in order. Only a suffix of them may be repeated, in order. It keeps every request. It is safe for concurrent use.
type Receiver struct {
	server  *httptest.Server
	webhook *standardwebhooks.Webhook // Nil when messages are not signed.

	mu         sync.Mutex
	requests   []Received
	failures   map[string][]*Failure
	orders     map[string]*receivedOrder
	types      map[string]int
	distinct   int
	repeats    int
	overlaps   int
	violations []string
}

// receivedOrder is what a receiver knows of one suborder.
type receivedOrder struct {
	ids      []int64 // In the order of their first arrival.
	bodies   map[int64][]byte
	accepted map[int64]bool
	at       int // The index of the latest arrival.
	inside   int // Requests that are being handled.
}

// NewReceiver starts a receiver, which is closed when the test ends. With a secret ("whsec_…") every request must be
// signed with it; with "" no signature is checked.
func NewReceiver(t testing.TB, secret string) *Receiver {
	t.Helper()
	r := &Receiver{
		failures: make(map[string][]*Failure), orders: make(map[string]*receivedOrder),
		types: make(map[string]int),
	}
	if secret != "" {
		var err error
		r.webhook, err = standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
	}
	r.server = httptest.NewServer(r)
	t.Cleanup(func() {
		// Held requests end with their connections; Close alone would wait for them.
		r.server.CloseClientConnections()
		r.server.Close()
	})
	return r
}

// URL is the address of the endpoint.
func (r *Receiver) URL() string { return r.server.URL + "/suborders" }

// Fail makes the next requests of a suborder fail, in the order of the calls. Failures of the order code "" apply to
// every suborder that has none of its own.
func (r *Receiver) Fail(orderCode string, failures ...Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range failures {
		if f.Times == 0 {
			f.Times = 1
		}
		r.failures[orderCode] = append(r.failures[orderCode], &f)
	}
}

// ClearFailures forgets the failures of a suborder that have not happened yet.
func (r *Receiver) ClearFailures(orderCode string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.failures, orderCode)
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // The sender gave up before the body was complete.
	}
	var m struct {
		OrderCode string `json:"orderCode"`
		MessageID int64  `json:"messageId"`
		EventType string `json:"eventType"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		r.mu.Lock()
		r.violate("body is not a message: %v", err)
		r.mu.Unlock()
		return
	}
	got := Received{
		OrderCode: m.OrderCode, MessageID: m.MessageID, EventType: m.EventType,
		Header: request.Header.Clone(), Body: body, Status: http.StatusOK,
	}
	r.mu.Lock()
	order := r.arrive(&got, request)
	failure := r.failure(got.OrderCode)
	r.mu.Unlock()

	if failure != nil {
		got.Status = failure.Status
		if failure.Hold != nil {
			select {
			case <-failure.Hold:
			case <-request.Context().Done():
			}
		}
	}

	r.mu.Lock()
	order.inside--
	accepted := got.Status >= 200 && got.Status <= 299 && (failure == nil || failure.Body == "")
	if accepted && !order.accepted[got.MessageID] {
		order.accepted[got.MessageID] = true
		r.distinct++
		r.types[got.EventType]++
	}
	r.requests = append(r.requests, got)
	r.mu.Unlock()

	if failure == nil {
		return
	}
	if got.Status == 0 {
		panic(http.ErrAbortHandler) // The server's way to cut a connection.
	}
	maps.Copy(w.Header(), failure.Header)
	w.WriteHeader(got.Status)
	_, _ = io.WriteString(w, failure.Body)
}

// failure uses up the failure that applies now, if there is one. It is called with mu held.
func (r *Receiver) failure(orderCode string) *Failure {
	if len(r.failures[orderCode]) == 0 {
		orderCode = ""
	}
	queue := r.failures[orderCode]
	if len(queue) == 0 {
		return nil
	}
	f := queue[0]
	if f.Times > 0 {
		if f.Times--; f.Times == 0 {
			r.failures[orderCode] = queue[1:]
		}
	}
	return f
}

// Requests returns every request that has been answered, in the order of the answers.
func (r *Receiver) Requests() []Received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// Arrived returns the ids of a suborder's messages in the order of their first arrival, answered or not.
func (r *Receiver) Arrived(orderCode string) []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if order := r.orders[orderCode]; order != nil {
		return slices.Clone(order.ids)
	}
	return nil
}

// Distinct returns how many different messages were answered with 2xx.
func (r *Receiver) Distinct() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.distinct
}

// Types returns how many different messages of each event type were answered with 2xx.
func (r *Receiver) Types() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.types)
}

// Repeats returns how many requests repeated a message.
func (r *Receiver) Repeats() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.repeats
}

// Overlaps returns how many requests arrived while another one of the same suborder was being handled. It is zero
// unless a sender died or gave up in the middle of a request.
func (r *Receiver) Overlaps() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.overlaps
}

// Violations describes every broken promise.
func (r *Receiver) Violations() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.violations)
}

// Wait waits until n different messages were answered with 2xx.
func (r *Receiver) Wait(t testing.TB, n int) {
	t.Helper()
	Eventually(t, func() bool { return r.Distinct() >= n }, fmt.Sprintf("%d messages delivered", n))
}

// WaitArrived waits until a suborder's message has arrived, whatever the answer was.
func (r *Receiver) WaitArrived(t testing.TB, orderCode string, id int64) {
	t.Helper()
	Eventually(t, func() bool { return slices.Contains(r.Arrived(orderCode), id) },
		fmt.Sprintf("message %d of %s", id, orderCode))
}

// RequireNoViolations fails the test if there are violations.
func (r *Receiver) RequireNoViolations(t testing.TB) {
	t.Helper()
	require.Empty(t, r.Violations())
}
