package sellers

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"github.com/orderledger/orderledger/internal/setting"
)

// shown is a Seller without its methods, so that formatting one does not recurse forever.
type shown Seller

// shown returns a copy with tokens and secrets masked.
func (s Seller) shown() shown {
	mask := func(text *string) {
		if *text != "" {
			*text = setting.Mask
		}
	}
	mask(&s.Token)
	mask(&s.NotificationSecret)
	s.Tokens = slices.Clone(s.Tokens)
	for i := range s.Tokens {
		mask(&s.Tokens[i])
	}
	return shown(s)
}

// Format implements fmt.Formatter, so that no verb shows a secret.
func (s Seller) Format(f fmt.State, verb rune) { fmt.Fprintf(f, fmt.FormatString(f, verb), s.shown()) }

// MarshalJSON implements json.Marshaler, without secrets.
func (s Seller) MarshalJSON() ([]byte, error) { return json.Marshal(s.shown()) }

// LogValue implements slog.LogValuer, without secrets.
func (s Seller) LogValue() slog.Value { return slog.AnyValue(s.shown()) }
