package sellers

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"github.com/orderledger/orderledger/internal/setting"
)

// maskedSeller is a Seller without its methods, so that formatting one does not recurse forever.
type maskedSeller Seller

// masked returns a copy with tokens and secrets masked.
func (s Seller) masked() maskedSeller {
	mask := func(text *string) {
		if *text != "" {
			*text = setting.Mask
		}
	}
	mask(&s.Token)
	mask(&s.NotificationSecret)
	mask(&s.NotificationToken)
	s.Tokens, s.NotificationTokens = slices.Clone(s.Tokens), slices.Clone(s.NotificationTokens)
	for _, list := range [][]string{s.Tokens, s.NotificationTokens} {
		for i := range list {
			mask(&list[i])
		}
	}
	return maskedSeller(s)
}

// Format implements fmt.Formatter, so that no verb shows a secret.
func (s Seller) Format(f fmt.State, verb rune) { fmt.Fprintf(f, fmt.FormatString(f, verb), s.masked()) }

// MarshalJSON implements json.Marshaler, without secrets.
func (s Seller) MarshalJSON() ([]byte, error) { return json.Marshal(s.masked()) }

// LogValue implements slog.LogValuer, without secrets.
func (s Seller) LogValue() slog.Value { return slog.AnyValue(s.masked()) }
