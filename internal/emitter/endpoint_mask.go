package emitter

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"

	"github.com/orderledger/orderledger/internal/setting"
)

// masked is an endpoint that may be printed. It has none of Endpoint's methods, so printing it does not recurse.
type masked Endpoint

// mask returns a copy in which everything that could be a credential is masked: the secrets, the values of the headers,
// and the password and query of the URL.
func (e Endpoint) mask() masked {
	e.Secrets = slices.Clone(e.Secrets)
	for i := range e.Secrets {
		e.Secrets[i] = setting.Mask
	}
	e.Headers = maps.Clone(e.Headers)
	for name := range e.Headers {
		e.Headers[name] = setting.Mask
	}
	u, err := url.Parse(e.URL)
	if err != nil {
		e.URL = setting.Mask
		return masked(e)
	}
	if u.RawQuery != "" {
		u.RawQuery = setting.Mask
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), setting.Mask)
	}
	// String has percent-encoded the mask.
	e.URL, _ = url.QueryUnescape(u.String())
	return masked(e)
}

// Format implements fmt.Formatter, so that no verb prints a secret.
func (e Endpoint) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, fmt.FormatString(f, verb), e.mask())
}

// MarshalJSON implements json.Marshaler, without secrets.
func (e Endpoint) MarshalJSON() ([]byte, error) { return json.Marshal(e.mask()) }

// LogValue implements slog.LogValuer, without secrets.
func (e Endpoint) LogValue() slog.Value { return slog.AnyValue(e.mask()) }
