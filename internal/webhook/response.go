package webhook

import (
	"bufio"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// saysError reports whether a member of a JSON object is true. It reads no further than it must to know, also not of
// text that is no object. It accepts the beginning of an object whose rest is missing, and the text "true", because
// taking a refusal for an acceptance would lose the message.
func saysError(body io.Reader, field string) bool {
	text := bufio.NewReader(body)
	const mark = "\xef\xbb\xbf" // Of UTF-8.
	if first, _ := text.Peek(1); string(first) == mark[:1] {
		if start, _ := text.Peek(len(mark)); string(start) == mark {
			_, _ = text.Discard(len(mark))
		}
	}
	d := json.NewDecoder(text)
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return false
		}
		if name == field && (string(value) == "true" || string(value) == `"true"`) {
			return true
		}
	}
	return false
}

// retryAfter parses both forms of the header: seconds, or an HTTP date. It rounds a fraction of a second up, because
// the receiver asked us not to come earlier. A wait that no Duration can hold becomes the longest one, so that the
// caller's cap applies to it.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, ok := delaySeconds(value); ok {
		return seconds
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0) // Sub saturates.
	}
	return 0
}

// delaySeconds parses decimal digits, with a fraction or without. It accepts no sign, exponent or unit.
func delaySeconds(value string) (time.Duration, bool) {
	whole, fraction, _ := strings.Cut(value, ".")
	if whole == "" || strings.Trim(whole, "0123456789") != "" || strings.Trim(fraction, "0123456789") != "" {
		return 0, false
	}
	const longest = math.MaxInt64 / int64(time.Second)
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds >= longest {
		return math.MaxInt64, true // The only error left is that the number is out of range.
	}
	if strings.Trim(fraction, "0") != "" {
		seconds++
	}
	return time.Duration(seconds) * time.Second, true
}
