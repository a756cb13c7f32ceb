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

// shown is an endpoint as it may be seen, without the methods that make one from it.
type shown Endpoint

// shown returns a copy without what could be a credential: secrets, the values of headers, and of the URL the password
// and the query.
func (e Endpoint) shown() shown {
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
		return shown(e)
	}
	if u.RawQuery != "" {
		u.RawQuery = setting.Mask
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), setting.Mask)
	}
	// A URL would escape the mask.
	e.URL, _ = url.QueryUnescape(u.String())
	return shown(e)
}

// Format implements fmt.Formatter, so that no verb shows a secret.
func (e Endpoint) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, fmt.FormatString(f, verb), e.shown())
}

// MarshalJSON implements json.Marshaler, without secrets.
func (e Endpoint) MarshalJSON() ([]byte, error) { return json.Marshal(e.shown()) }

// LogValue implements slog.LogValuer, without secrets.
func (e Endpoint) LogValue() slog.Value { return slog.AnyValue(e.shown()) }
