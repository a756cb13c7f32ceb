package peer

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

	"github.com/orderledger/orderledger/internal/httpx"
)

// Client asks other instances. Many goroutines may use it, and a journal and a Router may share it.
type Client struct {
	keys keys
	http *http.Client
	now  func() time.Time
}

// idleTimeout is how long an idle connection to another instance is kept.
const idleTimeout = time.Minute

// maxAnswerBytes limits how much of an answer is read: a hundred results with their texts need far less.
const maxAnswerBytes = 4 << 20

// NewClient returns a client for the other instances of the cluster. It returns nil when there are no secrets: then the
// instance is alone.
func NewClient(cfg Config, cluster string) *Client {
	if len(cfg.Secrets) == 0 {
		return nil
	}
	return &Client{
		keys: keys{cluster, cfg.Secrets}, now: time.Now,
		http: &http.Client{
			Transport: &http.Transport{
				// No proxy of the environment: peers are on the network that they advertise.
				DialContext:         (&net.Dialer{Timeout: 500 * time.Millisecond, KeepAlive: 15 * time.Second}).DialContext,
				TLSHandshakeTimeout: time.Second,
				MaxIdleConnsPerHost: 256,
				IdleConnTimeout:     idleTimeout,
				DisableCompression:  true,
				ForceAttemptHTTP2:   true,
			},
			// A signature is valid for one path only.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close closes the idle connections. It may be called on nil, and more than once.
func (c *Client) Close() {
	if c != nil {
		c.http.CloseIdleConnections()
	}
}

// AskRelease asks the instance at peerURL to finish a lane's batch in hand and to release the lane. It has the form of
// journal.Deps.AskRelease. ctx bounds how long that may take.
func (c *Client) AskRelease(ctx context.Context, peerURL string, lane int32) error {
	path := pathLanes + strconv.Itoa(int(lane)) + pathRelease
	if _, err := c.post(ctx, peerURL, path, nil, http.StatusNoContent); err != nil {
		return fmt.Errorf("ask %s to release lane %d: %w", peerURL, lane, err)
	}
	return nil
}

// requestError is a request without results.
type requestError struct {
	// sent means that the peer may have executed it.
	sent bool
	// reason is one of the labels below.
	reason string
	err    error
}

// The reasons of a requestError.
const (
	reasonUnreachable = "unreachable"
	reasonRefused     = "refused"
	reasonLost        = "lost"
)

func (e *requestError) Error() string { return e.reason + ": " + e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

// forward sends commands to the instance at peerURL and returns their results. Any error is a *requestError.
func (c *Client) forward(ctx context.Context, peerURL string, f *forward) ([]Result, error) {
	left := time.Hour
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	// The owner gets a little less time than we wait: an answer that says "not stored" is better than none.
	f.TimeoutMillis = max(1, (left - min(left/5, 100*time.Millisecond)).Milliseconds())
	body, err := f.encode()
	if err != nil {
		return nil, &requestError{reason: reasonRefused, err: err}
	}
	text, err := c.post(ctx, peerURL, pathCommands, body, http.StatusOK)
	if err != nil {
		return nil, err
	}
	var answers []forwardedResult
	if err = json.Unmarshal(text, &answers); err == nil && len(answers) != len(f.Commands) {
		err = fmt.Errorf("%d results of %d commands", len(answers), len(f.Commands))
	}
	if err != nil {
		return nil, &requestError{sent: true, reason: reasonLost, err: fmt.Errorf("answer of %s: %w", peerURL, err)}
	}
	results := make([]Result, len(answers))
	for i, a := range answers {
		results[i] = a.result()
	}
	return results, nil
}

// post sends a signed request. It returns the answer's body if its status is the expected one.
func (c *Client) post(ctx context.Context, peerURL, path string, body []byte, status int) ([]byte, error) {
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
	url := strings.TrimRight(peerURL, "/") + path
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, &requestError{reason: reasonUnreachable, err: err}
	}
	c.keys.sign(req.Header, req.Method, path, c.now(), body)
	// The request carries no Idempotency-Key header, though its commands have keys: with one, net/http would resend it on
	// a broken connection. If it sent the request twice, we would see only the second answer, and could report a command
	// as refused that the first had stored. The router retries instead.
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, lostOrUnreachable(wrote.Load(), err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	switch {
	case err == nil && len(text) > maxAnswerBytes:
		err = errors.New("answer too long")
		fallthrough
	case err != nil:
		return nil, lostOrUnreachable(true, err)
	case resp.StatusCode == status:
		return text, nil
	}
	err = fmt.Errorf("%s answers %s: %s", peerURL, resp.Status, httpx.Printable(string(text[:min(len(text), 512)])))
	if resp.StatusCode >= 400 && resp.StatusCode < 500 || overloaded(resp, text) {
		// The instance, or a proxy in front of it, rejected the request before executing it.
		return nil, &requestError{reason: reasonRefused, err: err}
	}
	return nil, lostOrUnreachable(true, err)
}

// overloaded reports whether the instance itself answers that it could not even read the request. Any other 503 may
// come from a proxy that lost the answer.
func overloaded(resp *http.Response, text []byte) bool {
	var problem struct{ Type string }
	return resp.StatusCode == http.StatusServiceUnavailable && json.Unmarshal(text, &problem) == nil &&
		problem.Type == "urn:orderledger:problem:"+httpx.Unavailable.Name
}

func lostOrUnreachable(sent bool, err error) *requestError {
	if sent {
		return &requestError{sent: true, reason: reasonLost, err: err}
	}
	return &requestError{reason: reasonUnreachable, err: err}
}
