package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Config configures a Client.
type Config struct {
	// URL receives the POSTs: http or https, with a host. It may contain a token, so it is never logged.
	URL string
	// Secrets sign every message, newest first. Without any, messages have an id and a timestamp but no signature.
	Secrets []Secret
	// Headers are added to every request, for example an Authorization that the receiver requires. The headers that this
	// package sets are refused.
	Headers map[string]string
	// ErrorField is the member of a JSON response that says, by true, that the receiver did not accept the message
	// although the status is 2xx. Empty means that only the status counts.
	ErrorField string
	// Timeout bounds one attempt, from dialling to the last byte of the response that is read. Zero is refused.
	Timeout time.Duration
	// MaxConns is the number of idle connections that are kept. It should be at least the number of requests in flight, or
	// each burst opens new connections. Zero is refused.
	MaxConns int
}

// DefaultConfig returns a configuration that lacks only the URL.
func DefaultConfig() Config {
	return Config{Timeout: 45 * time.Second, MaxConns: 64}
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	var problems []error
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		// The error of url.Parse contains the URL.
		problems = append(problems, errors.New("url is not http(s)://host"))
	} else if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			problems = append(problems, fmt.Errorf("port %s of the url is not between 1 and 65535", port))
		}
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
