package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/orderledger/orderledger/internal/setting"
)

// The SASL mechanisms with which a program can authenticate.
const (
	SASLPlain    = "plain"
	SASLScram256 = "scram-sha-256"
	SASLScram512 = "scram-sha-512"
)

const dialTimeout = 10 * time.Second

func (c Config) validateSecurity() []error {
	problems := []error{c.TLS.Validate(envPrefix)}
	switch {
	case c.SASL == "" && (c.User != "" || !c.Password.IsZero()):
		problems = append(problems,
			setting.Invalid(EnvSASL, "%s or %s is set, but no SASL mechanism: want %s, %s or %s",
				EnvUser, EnvPassword, SASLPlain, SASLScram256, SASLScram512))
	case c.SASL != "" && !slices.Contains([]string{SASLPlain, SASLScram256, SASLScram512}, strings.ToLower(c.SASL)):
		problems = append(problems,
			setting.Invalid(EnvSASL, "%q: want %s, %s or %s", c.SASL, SASLPlain, SASLScram256, SASLScram512))
	case c.SASL != "" && (c.User == "" || c.Password.IsZero()):
		problems = append(problems,
			setting.Invalid(EnvSASL, "%s needs a user and a password: set %s and %s", c.SASL, EnvUser, EnvPassword))
	}
	return problems
}

// securityOptions returns the options for TLS and SASL. It sets a dialer only with TLS, so that tests can set their own
// otherwise.
func (c Config) securityOptions() []kgo.Opt {
	var opts []kgo.Opt
	if c.TLS.On {
		dial := c.TLS.Dialer((&net.Dialer{KeepAlive: 15 * time.Second}).DialContext, envPrefix)
		opts = append(opts, kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			return dial(ctx, network, addr)
		}))
	} else {
		opts = append(opts, kgo.DialTimeout(dialTimeout))
	}
	if m := c.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts
}

func (c Config) mechanism() sasl.Mechanism {
	switch strings.ToLower(c.SASL) {
	case SASLPlain:
		return plain.Auth{User: c.User, Pass: c.Password.Reveal()}.AsMechanism()
	case SASLScram256:
		return scram.Auth{User: c.User, Pass: c.Password.Reveal()}.AsSha256Mechanism()
	case SASLScram512:
		return scram.Auth{User: c.User, Pass: c.Password.Reveal()}.AsSha512Mechanism()
	}
	return nil
}

// Explain adds to a connection error what to do about it, when that is known.
func (c Config) Explain(err error) error {
	if do := c.advice(err); do != "" {
		return fmt.Errorf("%w; %s", err, do)
	}
	return err
}

func (c Config) advice(err error) string {
	closed := hungUp(err)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return fmt.Sprintf("the broker refused user %q: check %s and %s, and that the user has credentials for %s", c.User,
			EnvUser, EnvPassword, c.SASL)
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return fmt.Sprintf("the broker does not accept %s: set %s to a mechanism of its listener", c.SASL, EnvSASL)
	case closed && c.SASL != "":
		return fmt.Sprintf(
			"the broker closed the connection: check %s and %s, whether its listener requires TLS (%s_TLS), and %s",
			EnvUser, EnvPassword, envPrefix, EnvSASL)
	case closed:
		return fmt.Sprintf("the broker closed the connection: its listener requires TLS (%s_TLS) or a user (%s)", envPrefix,
			EnvSASL)
	}
	return setting.Advice(err, envPrefix)
}

// hungUp reports whether the broker closed the connection without an answer, as it does after bytes that it does not
// understand.
func hungUp(err error) bool {
	var first *kgo.ErrFirstReadEOF
	return errors.As(err, &first) || errors.Is(err, io.EOF)
}

// hopeless reports whether waiting can't fix an error. A closed connection is not hopeless: a proxy in front of a
// broker that is starting closes connections too.
func hopeless(err error) bool {
	return errors.Is(err, kerr.SaslAuthenticationFailed) || errors.Is(err,
		kerr.UnsupportedSaslMechanism) || setting.Misfit(err)
}
