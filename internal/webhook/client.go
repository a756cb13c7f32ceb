package webhook

import (
	"bytes"
	"cmp"
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

// The limits of reading the body of a response. Once the receiver's decision is known, the rest of the body is read
// only so that the connection can be reused. A longer or slower body costs the connection: without the limits, a
// receiver could occupy a slot until the timeout, with a body that never ends.
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

// Post sends a message once, with the current time as its timestamp. It returns at most a second after the receiver's
// decision arrived, when the timeout is over or when ctx ends. The decision is the status; with Config.ErrorField and a
// 2xx it is the body. It is safe for concurrent use.
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
	response := Response{
		Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	body := &limitedBody{from: resp.Body, left: drainBytes}
	if c.field != "" && resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		response.BodyError = saysError(body, c.field)
		if body.err != nil && !response.BodyError {
			// The decision never arrived. To take it for an acceptance could lose the message.
			return response, fmt.Errorf("post message %s: read the response: %w", m.ID, cmp.Or(ctx.Err(), body.err))
		}
	}
	late := time.AfterFunc(drainTime, cancel)
	defer late.Stop()
	_, _ = io.Copy(io.Discard, body) // An error costs only the connection.
	return response, nil
}

// limitedBody reads the beginning of a body. The end of the limit looks like the end of the body; err is the error of
// the connection, if there was one.
type limitedBody struct {
	from io.Reader
	left int
	err  error
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.EOF
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
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
