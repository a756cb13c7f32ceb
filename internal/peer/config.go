package peer

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/setting"
)

// The variables that set fields of Config; cmd/ingest reads them.
const (
	EnvAddr   = "ORDERLEDGER_INGEST_PEER_ADDR"
	EnvURL    = "ORDERLEDGER_INGEST_PEER_URL"
	EnvSecret = "ORDERLEDGER_INGEST_PEER_SECRET"
)

// Config says how the instances of a ledger reach one another. Its zero value is an instance that is alone.
type Config struct {
	// Addr is host:port of the listener for other instances. Empty means none.
	Addr string
	// URL is where others reach that listener: a base URL, such as http://10.0.0.7:8081.
	URL string
	// Secrets sign the requests between instances. The first signs; all are accepted, so put the newest first.
	Secrets []setting.Secret
	// AttemptTimeout bounds one try to forward commands to their owner, so it is the time that a frozen owner costs. Zero
	// means 2 seconds.
	AttemptTimeout time.Duration
	// HandOverTimeout bounds handing the lanes over at the end. Zero means 10 seconds.
	HandOverTimeout time.Duration
}

// minSecretBytes is the size of a key that cannot be guessed.
const minSecretBytes = 16

// WithDefaults returns the configuration with zeros replaced.
func (c Config) WithDefaults() Config {
	if c.AttemptTimeout == 0 {
		c.AttemptTimeout = 2 * time.Second
	}
	if c.HandOverTimeout == 0 {
		c.HandOverTimeout = 10 * time.Second
	}
	return c
}

// Validate returns all problems, joined. It names no secret.
func (c Config) Validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.AttemptTimeout < 0 || c.HandOverTimeout < 0 {
		bad("ingest peer timeouts: want 0 (the defaults) or more")
	}
	for i, secret := range c.Secrets {
		if n := len(secret.Reveal()); n < minSecretBytes {
			bad("%s: secret %d has %d bytes: want %d or more, such as those of `openssl rand -hex 32`",
				EnvSecret, i+1, n, minSecretBytes)
		}
	}
	if c.URL != "" && !isBaseURL(c.URL) {
		bad("%s: want http:// or https:// with a host, without user, query and fragment", EnvURL)
	}
	if c.Addr == "" {
		if c.URL != "" || len(c.Secrets) > 0 {
			bad("%s and %s are of no use without a listener: set %s too, or none of the three", EnvURL, EnvSecret, EnvAddr)
		}
		return errors.Join(problems...)
	}
	if err := setting.CheckListener(c.Addr); err != nil {
		bad("%s: %w", EnvAddr, err)
	}
	if len(c.Secrets) == 0 {
		bad("%s: a secret is needed too: set %s to the same on every instance, such as the output of "+
			"`openssl rand -hex 32`", EnvAddr, EnvSecret)
	}
	if c.URL == "" {
		bad("%s: a URL is needed too: set %s to where other instances reach this listener, such as http://10.0.0.7:8081",
			EnvAddr, EnvURL)
	}
	return errors.Join(problems...)
}

func isBaseURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") &&
		u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// Deps are the dependencies of a Router and of a Server, and the settings that they share with the rest of the
// instance. They close none of them.
type Deps struct {
	// Journal decides commands whose lanes are here.
	Journal *journal.Journal
	// Client asks other instances. Nil means that there are none.
	Client *Client
	// HTTP runs the handlers of a Server.
	HTTP *httpx.Server
	// Log gets one line per outcome that matters to operators. Nil means none.
	Log *slog.Logger
	// Registerer gets the metrics. Nil means none.
	Registerer prometheus.Registerer
	// Now is the clock for signatures. Nil means time.Now.
	Now func() time.Time

	// Cluster names the ledger; it is part of what is signed.
	Cluster string
	// Lanes is the number of lanes.
	Lanes int
	// Marketplace says how bodies are read, as everywhere in the instance.
	Marketplace marketplace.Settings
	// MaxBodyBytes is the largest body of a call.
	MaxBodyBytes int64
	// MaxConnections bounds the connections of a Server. Zero means no bound.
	MaxConnections int
	// CommandTimeout is the most time that a call may take, whatever its sender asks for.
	CommandTimeout time.Duration
}

func (d Deps) withDefaults() Deps {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return d
}
