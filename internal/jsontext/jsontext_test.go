package jsontext_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/jsontext"
)

// standard writes s as encoding/json does, without the escapes that HTML and JavaScript ask for.
func standard(t *testing.T, s string) string {
	t.Helper()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	require.NoError(t, e.Encode(s))
	text := strings.TrimSuffix(out.String(), "\n")
	text = strings.ReplaceAll(text, `\u2028`, "\u2028")
	text = strings.ReplaceAll(text, `\u2029`, "\u2029")
	return strings.ReplaceAll(text, `\ufffd`, "\uFFFD")
}

func inputs() []string {
	in := []string{
		"", "plain", `a "quoted" \ text`, "grüße", "日本語😀", "\u2028 and \u2029", "<a&b>", "\x7f", "\uFFFD",
		"\xff", "a\xc3", "\xe2\x82", "\xf0\x9f\x98", "x\xed\xa0\x80y", "ends\n", "\nstarts", strings.Repeat("long ", 1000),
	}
	for c := range 256 {
		in = append(in, string([]byte{byte(c)}), string([]byte{'a', byte(c), 'b'}))
	}
	return in
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for _, s := range inputs() {
		want := standard(t, s)
		require.Equal(t, want, string(jsontext.AppendString(nil, s)), "%q", s)
		require.Equal(t, want, string(jsontext.AppendString(nil, []byte(s))), "%q", s)
		require.Equal(t, "x:"+want, string(jsontext.AppendString([]byte("x:"), s)), "%q", s)
	}
}

func TestAppendStringLong(t *testing.T) {
	t.Parallel()
	require.Equal(t, `"\n\r\t\u0008\u000c\"\\\u0000"`, string(jsontext.AppendStringLong(nil, "\n\r\t\b\f\"\\\x00")))
	for _, s := range inputs() {
		want := standard(t, s)
		if strings.ContainsAny(s, "\b\f") {
			want = strings.NewReplacer(`\b`, `\u0008`, `\f`, `\u000c`).Replace(want)
		}
		require.Equal(t, want, string(jsontext.AppendStringLong(nil, s)), "%q", s)
	}
}

//nolint:paralleltest // Counting allocations must not run beside others.
func TestAppendStringAllocatesNothing(t *testing.T) {
	in := "Cotton T-shirt, \"round\" neck, größe L, 😀\n"
	dst := make([]byte, 0, 256)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		jsontext.AppendString(dst, in)
	}))
}
