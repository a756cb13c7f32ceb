package emitter

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/orderledger/orderledger/internal/jsontext"
)

// writer appends JSON. It writes keys in the order of the calls. Maps would not keep an order, and struct tags would
// cost reflection on a path that every event takes.
type writer struct {
	b     []byte
	notes Notes
}

// maxTextRunes is the length of the longest string that receivers accept under the contract.
const maxTextRunes = 255

// zonedFormat is java.time's ISO_ZONED_DATE_TIME in the zone UTC: fractions of a second are written only if they are
// not zero, and without trailing zeros.
const zonedFormat = "2006-01-02T15:04:05.999999999Z[UTC]"

// amount is money in minor units of its currency, or the literal number of an extension. The zero value is unknown.
type amount struct {
	minor   int64
	digits  int // How many decimal digits the minor unit has.
	known   bool
	literal number
}

func (w *writer) raw(c byte) { w.b = append(w.b, c) }

// comma writes a comma unless nothing has been written to the current object or array yet.
func (w *writer) comma() {
	switch w.b[len(w.b)-1] {
	case '{', '[':
	default:
		w.b = append(w.b, ',')
	}
}

// key writes the key of a field. Keys are plain ASCII and need no escaping.
func (w *writer) key(key string) {
	w.comma()
	w.b = append(w.b, '"')
	w.b = append(w.b, key...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) null(key string) {
	w.key(key)
	w.b = append(w.b, "null"...)
}

func (w *writer) bool(key string, v bool) {
	w.key(key)
	w.b = strconv.AppendBool(w.b, v)
}

func (w *writer) integer(key string, v int64) {
	w.key(key)
	w.b = strconv.AppendInt(w.b, v, 10)
}

func (w *writer) integerIf(key string, v int64, known bool) {
	if !known {
		w.null(key)
		return
	}
	w.integer(key, v)
}

// text writes a string, or null when it is empty, which means unknown: the contract has no empty strings.
func (w *writer) text(key, v string) {
	if v == "" {
		w.null(key)
		return
	}
	w.key(key)
	w.quote(v)
}

func (w *writer) texts(key string, vs []string) {
	w.key(key)
	w.raw('[')
	for _, v := range vs {
		w.comma()
		w.quote(v)
	}
	w.raw(']')
}

func (w *writer) time(key string, t time.Time) {
	if t.IsZero() {
		w.null(key)
		return
	}
	w.key(key)
	w.raw('"')
	w.b = t.UTC().AppendFormat(w.b, zonedFormat)
	w.raw('"')
}

func (w *writer) number(key string, n number) {
	if n == "" {
		w.null(key)
		return
	}
	w.key(key)
	w.b = append(w.b, n...)
}

// amount writes an exact decimal number in its shortest form: 500, 21.5, -0.05.
func (w *writer) amount(key string, a amount) {
	switch {
	case !a.known:
		w.null(key)
		return
	case a.literal != "":
		w.number(key, a.literal)
		return
	}
	w.key(key)
	// Unsigned, because the smallest int64 has no positive counterpart.
	size := uint64(a.minor)
	if a.minor < 0 {
		w.raw('-')
		size = -size
	}
	unit := uint64(1)
	for range a.digits {
		unit *= 10
	}
	w.b = strconv.AppendUint(w.b, size/unit, 10)
	rest := size % unit
	if rest == 0 {
		return
	}
	w.raw('.')
	for rest != 0 { // Stops after the last digit that is not zero, so there are no trailing zeros.
		unit /= 10
		w.raw(byte('0' + rest/unit))
		rest %= unit
	}
}

// quote writes a JSON string, and notes one that is longer than receivers accept.
func (w *writer) quote(s string) {
	if len(s) > maxTextRunes && utf8.RuneCountInString(s) > maxTextRunes {
		w.notes |= NoteTextTooLong
	}
	w.b = jsontext.AppendStringLong(w.b, s)
}
