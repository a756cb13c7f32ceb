package setting_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/setting"
)

func TestSecretIsMaskedInEveryFormat(t *testing.T) {
	t.Parallel()
	const text = "hunter2"
	type config struct {
		User     string
		Password setting.Secret
		List     []setting.Secret
		Map      map[string]setting.Secret
		Pointer  *setting.Secret
		hidden   setting.Secret
	}
	s := setting.NewSecret(text)
	c := config{User: "bob", Password: s, List: []setting.Secret{s}, Map: map[string]setting.Secret{"a": s}, Pointer: &s, hidden: s}

	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		for _, value := range []any{s, &s, c, &c, []config{c}, struct{ inner config }{c}} {
			got := fmt.Sprintf(verb, value)
			require.NotContains(t, got, text, "%s of %T", verb, value)
			require.NotContains(t, got, fmt.Sprintf("%x", text), "%s of %T", verb, value)
		}
	}
	require.Equal(t, setting.Mask, fmt.Sprint(s))
	line, err := json.Marshal(c)
	require.NoError(t, err)
	require.NotContains(t, string(line), text)
	require.Contains(t, string(line), `"Password":"***"`)

	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).InfoContext(t.Context(), "shown", slog.Any("secret", s), slog.Any("config", c), slog.Any("pointer", &c))
	}
	require.Contains(t, out.String(), "bob")
	require.NotContains(t, out.String(), text)

	require.Equal(t, text, s.Reveal(), "Reveal returns it")
}

func TestSecretEmptyPrintsNothing(t *testing.T) {
	t.Parallel()
	var none setting.Secret
	require.True(t, none.IsZero())
	require.True(t, setting.NewSecret("").IsZero())
	require.Empty(t, none.Reveal())
	require.Empty(t, fmt.Sprint(none))
}
