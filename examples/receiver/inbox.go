package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// maxBody is the size of the largest body that is accepted.
const maxBody = 4 << 20

// message holds the fields of a body that identify it. The other fields describe the order.
type message struct {
	MessageID    int64  `json:"messageId"`
	EventType    string `json:"eventType"`
	OrderCode    string `json:"orderCode"`
	LocationCode string `json:"locationCode"`
}

// inbox receives messages. Use newInbox to make one.
type inbox struct {
	webhook *standardwebhooks.Webhook // Nil accepts unsigned messages.
	out     io.Writer

	mu     sync.Mutex
	orders map[string]*order
	counts counts
}

// order holds what the inbox remembers about one suborder.
type order struct {
	last   int64              // Highest messageId stored.
	stored map[int64][32]byte // Digest of each stored body, by messageId.
}

// counts is the response of GET /stats.
type counts struct {
	Received   int            `json:"received"`   // Requests with a readable message.
	Messages   int            `json:"messages"`   // Different messages stored.
	Repeats    int            `json:"repeats"`    // Requests with a message that was stored before.
	Suborders  int            `json:"suborders"`  // Different orderCodes.
	EventTypes map[string]int `json:"eventTypes"` // Different messages by type.
	Rejected   int            `json:"rejected"`   // Requests with a bad signature or an unreadable body.
	OutOfOrder int            `json:"outOfOrder"` // New messages below a stored one; must stay 0.
	Changed    int            `json:"changed"`    // Repeats with other bytes; must stay 0.
}

func newInbox(secret string, out io.Writer) (*inbox, error) {
	in := &inbox{out: out, orders: make(map[string]*order), counts: counts{EventTypes: make(map[string]int)}}
	if secret != "" {
		var err error
		if in.webhook, err = standardwebhooks.NewWebhook(secret); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// receive handles one message. It answers 401 to a bad signature and 400 to an unreadable body. The sender retries both
// slowly until somebody repairs the cause.
func (in *inbox) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		in.reject(w, http.StatusBadRequest, err)
		return
	}
	if in.webhook != nil {
		// Verify the received bytes: decoding and re-encoding would change them.
		if err := in.webhook.Verify(body, r.Header); err != nil {
			in.reject(w, http.StatusUnauthorized, err)
			return
		}
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		in.reject(w, http.StatusBadRequest, err)
		return
	}
	if fmt.Sprint(m.MessageID) != r.Header.Get("Webhook-Id") || m.OrderCode == "" {
		in.reject(w, http.StatusBadRequest, fmt.Errorf("webhook-id %q does not match the body", r.Header.Get("Webhook-Id")))
		return
	}
	in.store(m, sha256.Sum256(body))
	w.WriteHeader(http.StatusOK)
}

func (in *inbox) store(m message, digest [32]byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.counts.Received++
	o := in.orders[m.OrderCode]
	if o == nil {
		o = &order{stored: make(map[int64][32]byte)}
		in.orders[m.OrderCode] = o
		in.counts.Suborders++
	}
	note := ""
	if known, repeat := o.stored[m.MessageID]; repeat {
		in.counts.Repeats++
		note = " (repeat)"
		if known != digest {
			in.counts.Changed++
			note = " (REPEAT WITH OTHER BYTES)"
		}
	} else {
		if m.MessageID < o.last {
			in.counts.OutOfOrder++
			note = " (OUT OF ORDER)"
		}
		o.stored[m.MessageID] = digest
		o.last = max(o.last, m.MessageID)
		in.counts.Messages++
		in.counts.EventTypes[m.EventType]++
	}
	fmt.Fprintf(in.out, "%-26s %-20s %-10s %d%s\n", m.EventType, m.OrderCode, m.LocationCode, m.MessageID, note)
}

func (in *inbox) reject(w http.ResponseWriter, status int, err error) {
	in.mu.Lock()
	in.counts.Rejected++
	fmt.Fprintf(in.out, "rejected: %v\n", err)
	in.mu.Unlock()
	http.Error(w, err.Error(), status)
}

func (in *inbox) stats(w http.ResponseWriter, _ *http.Request) {
	in.mu.Lock()
	defer in.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(in.counts) // It fails only if the caller has gone.
}
