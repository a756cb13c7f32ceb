package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// drainBytes is how much of an answer is read so that its connection can be used again. A longer answer costs its
// connection instead: reading it would let a receiver hold a slot for as long as it likes to talk.
const drainBytes = 64 << 10

// Client sends messages to one URL. It is safe for concurrent use.
type Client struct {
	url     *url.URL
	headers http.Header
	signer  *Signer
	timeout time.Duration
	http    *http.Client
}

// Message is one body and its stable identity.
type Message struct {
	// ID is the webhook-id: the same in every attempt, so that a receiver can tell a repeat.
	ID string
	// Body is sent as it is. It is not changed and must not be changed until Post returns.
	Body []byte
	// Traceparent continues a trace when it is not empty.
	Traceparent string
}

// Response is what a receiver answered.
type Response struct {
	Status int
	// RetryAfter is what the receiver asked for in Retry-After, or zero. It is not capped.
	RetryAfter time.Duration
}

// New returns a client, or every problem of its configuration. It opens no connection.
func New(config Config) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("webhook client: %w", err)
	}
	target, err := url.Parse(config.URL)
	if err != nil {
		return nil, errors.New("webhook client: url cannot be read")
	}
	headers := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"orderledger-emitter"}}
	for name, value := range config.Headers {
		headers.Set(name, value)
	}
	return &Client{
		url:     target,
		headers: headers,
		signer:  NewSigner(config.Secrets...),
		timeout: config.Timeout,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            (&net.Dialer{Timeout: min(config.Timeout, 10*time.Second), KeepAlive: 30 * time.Second}).DialContext,
				TLSHandshakeTimeout:    min(config.Timeout, 10*time.Second),
				MaxIdleConns:           config.MaxConns,
				MaxIdleConnsPerHost:    config.MaxConns,
				IdleConnTimeout:        90 * time.Second,
				MaxResponseHeaderBytes: 64 << 10,
				// Nobody reads the answer's body, so asking for it compressed only costs the receiver.
				DisableCompression: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Post sends one message once, with the present time as its timestamp. It returns when the answer has been read, the
// timeout has passed or ctx ends.
func (c *Client) Post(ctx context.Context, m Message) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.http.Do(c.request(ctx, m))
	if err != nil {
		// net/http puts the URL into its errors, and the URL may hold a token.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return Response{}, fmt.Errorf("post message %s: %w", m.ID, err)
	}
	defer resp.Body.Close()
	// The status has arrived: what becomes of the rest does not change what the receiver decided.
	_, _ = io.CopyN(io.Discard, resp.Body, drainBytes)
	return Response{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now())}, nil
}

// request builds what http.NewRequestWithContext would, without parsing the URL for every message.
func (c *Client) request(ctx context.Context, m Message) *http.Request {
	now := time.Now()
	header := make(http.Header, len(c.headers)+4)
	for name, values := range c.headers {
		header[name] = values
	}
	header[HeaderID] = []string{m.ID}
	header[HeaderTimestamp] = []string{strconv.FormatInt(now.Unix(), 10)}
	if signature := c.signer.Sign(m.ID, now, m.Body); signature != "" {
		header[HeaderSignature] = []string{signature}
	}
	if m.Traceparent != "" {
		header["Traceparent"] = []string{m.Traceparent}
	}
	request := &http.Request{
		Method: http.MethodPost, URL: c.url, Host: c.url.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: int64(len(m.Body)),
		Body: http.NoBody,
	}
	if len(m.Body) > 0 {
		body := m.Body
		// GetBody lets the transport send again when a kept connection turns out to be closed before any byte was
		// written. It does not resend what may have arrived: a POST is not idempotent to it.
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		request.Body, _ = request.GetBody()
	}
	return request.WithContext(ctx)
}

// Close drops idle connections. It may be called more than once; requests in flight are not touched.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// retryAfter reads both forms of the header: seconds, or an HTTP date.
func retryAfter(value string, now time.Time) time.Duration {
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
