package jsontext

import "unicode/utf8"

// AppendString appends s to dst as a JSON string in the form that protojson and encoding/json write: characters with a
// short escape use it, other control characters become \u00xx.
func AppendString[T []byte | string](dst []byte, s T) []byte {
	return appendString(dst, s, &short)
}

// AppendStringLong is AppendString, except that backspace and form feed come out as \u0008 and \u000c. Suborder
// messages have always been written that way, and a receiver verifies a signature over their bytes: a message that is
// sent again after an upgrade has to be the same, byte by byte.
func AppendStringLong[T []byte | string](dst []byte, s T) []byte {
	return appendString(dst, s, &long)
}

// escapes holds the escape of each byte: 0 for none, a letter to write after a backslash, or one of the two special
// values below.
type escapes [256]byte

const (
	hexEscape = 'u'
	multibyte = 1
)

//nolint:gochecknoglobals // Tables.
var (
	short = newEscapes(map[byte]byte{'"': '"', '\\': '\\', '\n': 'n', '\r': 'r', '\t': 't', '\b': 'b', '\f': 'f'})
	long  = newEscapes(map[byte]byte{'"': '"', '\\': '\\', '\n': 'n', '\r': 'r', '\t': 't'})
)

func newEscapes(letters map[byte]byte) (t escapes) {
	for c := range t {
		switch {
		case c < ' ':
			t[c] = hexEscape
		case c >= utf8.RuneSelf:
			t[c] = multibyte
		}
	}
	for c, letter := range letters {
		t[c] = letter
	}
	return t
}

const hexDigits = "0123456789abcdef"

// appendString copies s in the longest runs that need no escape, because most strings are one such run.
func appendString[T []byte | string](dst []byte, s T, table *escapes) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; ; {
		for i < len(s) && table[s[i]] == 0 {
			i++
		}
		if i == len(s) {
			break
		}
		c := s[i]
		switch escape := table[c]; escape {
		case multibyte:
			// The conversion copies four bytes to the stack, so that one body serves bytes and strings.
			r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			if r != utf8.RuneError || n != 1 {
				i += n
				continue
			}
			dst = append(dst, s[from:i]...)
			dst = append(dst, "\uFFFD"...)
		case hexEscape:
			dst = append(dst, s[from:i]...)
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, s[from:i]...)
			dst = append(dst, '\\', escape)
		}
		i++
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
