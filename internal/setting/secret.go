package setting

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// Mask is what is shown in place of a secret.
const Mask = "***"

// Secret is a text that never shows itself. Its zero value is no secret, which shows as nothing.
//
// The text lies behind a pointer, because fmt prints a field that is not exported without asking its methods: it then
// shows an address.
type Secret struct{ text *string }

// NewSecret returns a secret; an empty text is no secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero tells whether there is no secret. It is what omitzero of JSON asks.
func (s Secret) IsZero() bool { return s.text == nil }

// String returns the mask, or nothing where there is no secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return Mask
}

// Format implements fmt.Formatter, so that no verb shows more than String.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
