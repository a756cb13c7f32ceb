package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/orderledger/orderledger/internal/journal"
)

// Peers asks other instances. It may be used by many goroutines, and by the journal and an Ingest together.
type Peers struct {
	keys   peerKeys
	client *http.Client
	now    func() time.Time
}

// peerIdle is how long a connection to another instance is kept without work.
const peerIdle = time.Minute

// maxPeerAnswer bounds what is read of an answer: a hundred results with their texts are far below.
const maxPeerAnswer = 4 << 20

// NewPeers returns a client for the other instances of the cluster; nil where there are no secrets, which is an
// instance that is alone.
func NewPeers(cfg PeersConfig, cluster string) *Peers {
	if len(cfg.Secrets) == 0 {
		return nil
	}
	return &Peers{
		keys: peerKeys{cluster, cfg.Secrets}, now: time.Now,
		client: &http.Client{
			Transport: &http.Transport{
				// No proxy of the environment: peers are on the network that they advertise.
				DialContext:         (&net.Dialer{Timeout: 500 * time.Millisecond, KeepAlive: 15 * time.Second}).DialContext,
				TLSHandshakeTimeout: time.Second,
				MaxIdleConnsPerHost: 256,
				IdleConnTimeout:     peerIdle,
				DisableCompression:  true,
				ForceAttemptHTTP2:   true,
			},
			// A signature is for one path.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close closes the connections that are idle. It may be called on nil, and more than once.
func (p *Peers) Close() {
	if p != nil {
		p.client.CloseIdleConnections()
	}
}

// AskRelease asks the instance at peerURL to finish what it has in hand in a lane and let go of it; it is what
// journal.Deps.AskRelease wants. How long it may take is the caller's to say.
func (p *Peers) AskRelease(ctx context.Context, peerURL string, lane int32) error {
	if _, err := p.post(ctx, peerURL, pathLanes+strconv.Itoa(int(lane))+pathRelease, nil, http.StatusNoContent); err != nil {
		return fmt.Errorf("ask %s to release lane %d: %w", peerURL, lane, err)
	}
	return nil
}

// peerError is a request that gave no results.
type peerError struct {
	// sent says that it may have been obeyed.
	sent bool
	// reason is one of the labels: unreachable, refused or lost.
	reason string
	err    error
}

// The reasons of a peerError.
const (
	reasonUnreachable = "unreachable"
	reasonRefused     = "refused"
	reasonLost        = "lost"
)

func (e *peerError) Error() string { return e.reason + ": " + e.err.Error() }
func (e *peerError) Unwrap() error { return e.err }

// forward hands commands to the instance at peerURL and returns what became of each. An error is a *peerError.
func (p *Peers) forward(ctx context.Context, peerURL string, f *forward) ([]journal.Result, error) {
	left := time.Hour
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	// A little less than we listen: an answer that says "not stored" is worth more than none.
	f.TimeoutMillis = max(1, (left - min(left/5, 100*time.Millisecond)).Milliseconds())
	body, err := f.encode()
	if err != nil {
		return nil, &peerError{reason: reasonRefused, err: err}
	}
	text, err := p.post(ctx, peerURL, pathCommands, body, http.StatusOK)
	if err != nil {
		return nil, err
	}
	var answers []forwardedResult
	if err = json.Unmarshal(text, &answers); err == nil && len(answers) != len(f.Commands) {
		err = fmt.Errorf("%d results of %d commands", len(answers), len(f.Commands))
	}
	if err != nil {
		return nil, &peerError{sent: true, reason: reasonLost, err: fmt.Errorf("answer of %s: %w", peerURL, err)}
	}
	results := make([]journal.Result, len(answers))
	for i, a := range answers {
		results[i] = a.result()
	}
	return results, nil
}

// post sends a signed request and returns the answer's body if it has the wanted status.
func (p *Peers) post(ctx context.Context, peerURL, path string, body []byte, want int) ([]byte, error) {
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(peerURL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, &peerError{reason: reasonUnreachable, err: err}
	}
	p.keys.sign(req.Header, req.Method, path, p.now(), body)
	// Nothing tells the transport that this may be repeated, though by its keys it may: of what it had sent twice by
	// itself we would know only the second answer, and take what the first may have stored for refused. The router
	// repeats.
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, lostOrUnreachable(wrote.Load(), err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxPeerAnswer+1))
	switch {
	case err == nil && len(text) > maxPeerAnswer:
		err = errors.New("too long an answer")
		fallthrough
	case err != nil:
		return nil, lostOrUnreachable(true, err)
	case resp.StatusCode == want:
		return text, nil
	}
	err = fmt.Errorf("%s answers %s: %s", peerURL, resp.Status, printable(string(text[:min(len(text), 512)])))
	if resp.StatusCode >= 400 && resp.StatusCode < 500 {
		// The instance, or what is in front of it, has not let the request in.
		return nil, &peerError{reason: reasonRefused, err: err}
	}
	return nil, lostOrUnreachable(true, err)
}

func lostOrUnreachable(sent bool, err error) *peerError {
	if sent {
		return &peerError{sent: true, reason: reasonLost, err: err}
	}
	return &peerError{reason: reasonUnreachable, err: err}
}
