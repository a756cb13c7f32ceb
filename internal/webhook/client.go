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

// The limits of reading the body of a response. The status has already said what the receiver decided; the body is read
// so that the connection can be reused, and for Config.ErrorField. A longer or slower body costs the connection:
// without the limits, a receiver could occupy a slot until the timeout, with a body that never ends.
const (
	drainBytes = 64 << 10
	drainTime  = time.Second
)

// Client sends messages to one URL. It is safe for concurrent use.
type Client struct {
	url     *url.URL
	headers http.Header
	signer  *Signer
	timeout time.Duration
	field   string // See Config.ErrorField.
	http    *http.Client
}

// Message is a body with its id.
type Message struct {
	// ID is the webhook-id. It is the same in every attempt, so that a receiver can recognise a repeat.
	ID string
	// Body is sent as it is. Post does not change it, and nobody else may until Post returns.
	Body []byte
	// Traceparent is the traceparent header. Empty means none.
	Traceparent string
	// Headers are added to the request, by their canonical names. They replace those of Config.Headers; signatures do not
	// cover them.
	Headers map[string]string
}

// Response is the response of a receiver.
type Response struct {
	Status int
	// BodyError says that Config.ErrorField is true in the body, so the receiver did not accept the message, whatever the
	// status is.
	BodyError bool
	// RetryAfter is the wait that the receiver requested with Retry-After, or zero. It is not capped.
	RetryAfter time.Duration
}

// New returns a client, or every problem of its configuration. It does not connect.
func New(config Config) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("webhook client: %w", err)
	}
	target, err := url.Parse(config.URL)
	if err != nil {
		return nil, errors.New("webhook client: url is not a URL")
	}
	headers := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"orderledger-emitter"}}
	for name, value := range config.Headers {
		headers.Set(name, value)
	}
	dialer := &net.Dialer{Timeout: min(config.Timeout, 10*time.Second), KeepAlive: 30 * time.Second}
	return &Client{
		url:     target,
		headers: headers,
		signer:  NewSigner(config.Secrets...),
		timeout: config.Timeout,
		field:   config.ErrorField,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            dialer.DialContext,
				TLSHandshakeTimeout:    min(config.Timeout, 10*time.Second),
				MaxIdleConns:           config.MaxConns,
				MaxIdleConnsPerHost:    config.MaxConns,
				IdleConnTimeout:        90 * time.Second,
				MaxResponseHeaderBytes: 64 << 10,
				// Bodies of responses are short, and most are only drained.
				DisableCompression: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Post sends a message once, with the current time as its timestamp. It returns when it has read the response, at most
// a second after the status arrived, when the timeout is over or when ctx ends. It is safe for concurrent use.
func (c *Client) Post(ctx context.Context, m Message) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.http.Do(c.request(ctx, m))
	if err != nil {
		// The errors of net/http contain the URL, which may contain a token.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return Response{}, fmt.Errorf("post message %s: %w", m.ID, err)
	}
	defer resp.Body.Close()
	late := time.AfterFunc(drainTime, cancel)
	defer late.Stop()
	return Response{
		Status: resp.StatusCode, BodyError: c.readBody(resp.Body),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}, nil
}

// readBody drains the body up to its limits, and reports whether it says that the receiver did not accept the message.
// An error ends reading and is ignored: what was read until then counts.
func (c *Client) readBody(body io.Reader) bool {
	body = io.LimitReader(body, drainBytes)
	if c.field == "" {
		_, _ = io.Copy(io.Discard, body)
		return false
	}
	read, _ := io.ReadAll(body)
	return saysError(read, c.field)
}

// request builds the same as http.NewRequestWithContext, but does not parse the URL for every message.
func (c *Client) request(ctx context.Context, m Message) *http.Request {
	now := time.Now()
	header := make(http.Header, len(c.headers)+len(m.Headers)+4)
	for name, values := range c.headers {
		header[name] = values
	}
	for name, value := range m.Headers {
		header[name] = []string{value}
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
		// With GetBody the transport can send the request again when an idle connection turns out to be closed before any
		// byte was written. It never resends a request that may have arrived, because a POST is not idempotent.
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		request.Body, _ = request.GetBody()
	}
	return request.WithContext(ctx)
}

// Close closes idle connections. It is idempotent and does not affect requests in flight.
func (c *Client) Close() { c.http.CloseIdleConnections() }
