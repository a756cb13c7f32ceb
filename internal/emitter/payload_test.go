package emitter

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWriterTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2020, 10, 16, 20, 22, 28, 0, time.UTC)
	for want, in := range map[string]time.Time{
		"2020-10-16T20:22:28Z[UTC]":           at,
		"2020-10-16T20:22:28.12Z[UTC]":        at.Add(120 * time.Millisecond),
		"2020-10-16T20:22:28.000000001Z[UTC]": at.Add(1),
		"2020-10-16T00:00:00Z[UTC]":           time.Date(2020, 10, 16, 5, 30, 0, 0, time.FixedZone("IST", 19800)),
	} {
		w := writer{b: []byte{'{'}}
		w.time("t", in)
		require.Equal(t, `{"t":"`+want+`"`, string(w.b))
	}
	w := writer{b: []byte{'{'}}
	w.time("t", time.Time{})
	require.Equal(t, `{"t":null`, string(w.b))
}

func TestWriterQuote(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		w := writer{}
		w.quote(text)
		require.True(t, utf8.Valid(w.b))
		var back string
		require.NoError(t, json.Unmarshal(w.b, &back))
		require.Equal(t, string([]rune(text)), back)
	})
}

func TestWriterLongText(t *testing.T) {
	t.Parallel()
	for text, noted := range map[string]bool{
		strings.Repeat("ü", maxTextRunes):   false,
		strings.Repeat("ü", maxTextRunes+1): true,
	} {
		w := writer{}
		w.quote(text)
		require.Equal(t, `"`+text+`"`, string(w.b))
		require.Equal(t, noted, w.notes == NoteTextTooLong)
	}
}
