package setting

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// Mask replaces a secret in all output.
const Mask = "***"

// Secret is a text that no output shows. Its zero value is no secret and prints as nothing.
//
// The text is behind a pointer, because fmt prints an unexported field without calling its methods: it prints an
// address then.
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

// IsZero reports whether there is no secret. The omitzero option of encoding/json calls it.
func (s Secret) IsZero() bool { return s.text == nil }

// String returns the mask, or nothing without a secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return Mask
}

// Format implements fmt.Formatter, so that no verb prints more than String.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
