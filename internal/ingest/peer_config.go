package ingest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/orderledger/orderledger/internal/setting"
)

// PeersConfig says how the ingest instances of a ledger reach one another. Its zero value is an instance that is alone.
type PeersConfig struct {
	// Addr is host:port of the listener for other instances. Empty means none.
	Addr string
	// URL is where others reach that listener: a base URL, such as http://10.0.0.7:8081.
	URL string
	// Secrets sign what instances ask of each other, newest first: the first signs, all are accepted.
	Secrets []setting.Secret
	// AttemptTimeout bounds one try to hand commands to their owner; a frozen one is noticed by it. Zero means 2 seconds.
	AttemptTimeout time.Duration
	// HandOverTimeout bounds the handing over of lanes at the end. Zero means 10 seconds.
	HandOverTimeout time.Duration
}

// minPeerSecret is the fewest bytes of a secret: those of a key that can't be guessed.
const minPeerSecret = 16

func (c PeersConfig) withDefaults() PeersConfig {
	orElse(&c.AttemptTimeout, 2*time.Second)
	orElse(&c.HandOverTimeout, 10*time.Second)
	return c
}

// Validate returns all problems, joined. Secrets are not repeated in it.
func (c PeersConfig) Validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.AttemptTimeout < 0 || c.HandOverTimeout < 0 {
		bad("ingest peer timeouts: want 0 (the defaults) or more")
	}
	for i, secret := range c.Secrets {
		if n := len(secret.Reveal()); n < minPeerSecret {
			bad("ingest peer secret %d has %d bytes: want %d or more, such as those of `openssl rand -hex 32`", i+1, n, minPeerSecret)
		}
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			bad("ingest peer URL: want http:// or https:// with a host, without user, query and fragment")
		}
	}
	if c.Addr == "" {
		if c.URL != "" || len(c.Secrets) > 0 {
			bad("ingest peer URL and secret are of no use without a listener: set ORDERLEDGER_INGEST_PEER_ADDR too, or none of the three")
		}
		return errors.Join(problems...)
	}
	if _, port, err := net.SplitHostPort(c.Addr); err != nil || port == "" {
		bad("ingest peer address %q: want host:port", c.Addr)
	}
	if len(c.Secrets) == 0 {
		bad("ingest peer address %s: a secret is needed; set ORDERLEDGER_INGEST_PEER_SECRET to the same on every instance, such as the output of `openssl rand -hex 32`", c.Addr)
	}
	if c.URL == "" {
		bad("ingest peer address %s: set ORDERLEDGER_INGEST_PEER_URL to where other instances reach it, such as http://10.0.0.7:8081", c.Addr)
	}
	return errors.Join(problems...)
}
