package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Config says where and how a client sends.
type Config struct {
	// URL receives the POSTs; http or https with a host. It may hold a token, so it is never logged.
	URL string
	// Secrets sign every message, newest first. Without any, messages carry id and timestamp but no signature.
	Secrets []Secret
	// Headers are added to every request, for instance an Authorization the receiver asks for. Those this package
	// sets itself are refused.
	Headers map[string]string
	// Timeout bounds one attempt, from dialling to the last byte read of the answer. Zero is refused.
	Timeout time.Duration
	// MaxConns is the number of idle connections kept, at least the number of requests the caller has in flight:
	// with fewer, each burst dials anew. Zero is refused.
	MaxConns int
}

// DefaultConfig returns the configuration of everything but the URL.
func DefaultConfig() Config {
	return Config{Timeout: 30 * time.Second, MaxConns: 64}
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	var problems []error
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		// The parser's own error would repeat the URL.
		problems = append(problems, errors.New("url is not http(s)://host"))
	}
	for _, secret := range c.Secrets {
		if len(secret.key) == 0 {
			problems = append(problems, errors.New("a secret is empty"))
		}
	}
	for name := range c.Headers {
		switch http.CanonicalHeaderKey(name) {
		case HeaderID, HeaderTimestamp, HeaderSignature, "Content-Type", "Content-Length", "Host", "Transfer-Encoding":
			problems = append(problems, fmt.Errorf("header %s is set by the client", name))
		}
	}
	if c.Timeout <= 0 {
		problems = append(problems, errors.New("timeout is not positive"))
	}
	if c.MaxConns <= 0 {
		problems = append(problems, errors.New("max conns is not positive"))
	}
	return errors.Join(problems...)
}
