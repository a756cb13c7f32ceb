package marketplace

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parser parses JSON into a document, strictly by RFC 8259: a body that a lenient parser accepts may mean something
// else to its sender.
type parser struct {
	document
	pos     int
	problem *ProblemError
}

// fail records the problem at the position and returns none.
func (p *parser) fail(detail string) int32 {
	return p.failAs(ProblemNotJSON, detail)
}

func (p *parser) failAs(problem Problem, detail string) int32 {
	if p.problem == nil {
		p.problem = &ProblemError{Problem: problem, Offset: p.pos, Detail: detail}
	}
	return none
}

func (p *parser) space() {
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// value parses the value at the position and returns its index, or none after a problem.
func (p *parser) value(parent int32, depth int) int32 {
	if p.pos >= len(p.text) {
		return p.fail("unexpected end of body, want a value")
	}
	if depth > maxDepth {
		return p.failAs(ProblemTooDeep, "nested deeper than "+strconv.Itoa(maxDepth)+" levels")
	}
	i := int32(len(p.nodes))
	start := int32(p.pos)
	p.nodes = append(p.nodes, node{start: start, parent: parent, child: none, next: none})
	var ok bool
	switch c := p.text[p.pos]; {
	case c == '{':
		p.nodes[i].kind = kindObject
		ok = p.members(i, depth, '}')
	case c == '[':
		p.nodes[i].kind = kindArray
		ok = p.members(i, depth, ']')
	case c == '"':
		p.nodes[i].kind = kindString
		var from, to int32
		from, to, p.nodes[i].escaped, ok = p.stringToken()
		p.nodes[i].start, p.nodes[i].end = from, to
		if !ok {
			return none
		}
		return i
	case c == '-' || c >= '0' && c <= '9':
		p.nodes[i].kind = kindNumber
		ok = p.number()
	case c == 't':
		p.nodes[i].kind = kindBool
		ok = p.word("true")
	case c == 'f':
		p.nodes[i].kind = kindBool
		ok = p.word("false")
	case c == 'n':
		p.nodes[i].kind = kindNull
		ok = p.word("null")
	default:
		return p.fail("invalid JSON value")
	}
	if !ok {
		return none
	}
	p.nodes[i].end = int32(p.pos)
	return i
}

// members parses an object or an array, whose opening bracket is at the position.
func (p *parser) members(parent int32, depth int, closing byte) bool {
	p.pos++
	p.space()
	if p.pos < len(p.text) && p.text[p.pos] == closing {
		p.pos++
		return true
	}
	last := none
	for {
		var key, keyEnd int32
		var escaped bool
		if closing == '}' {
			if p.pos >= len(p.text) || p.text[p.pos] != '"' {
				p.fail("want a member name in quotes")
				return false
			}
			var ok bool
			if key, keyEnd, escaped, ok = p.stringToken(); !ok {
				return false
			}
			p.space()
			if p.pos >= len(p.text) || p.text[p.pos] != ':' {
				p.fail("want a colon")
				return false
			}
			p.pos++
			p.space()
		}
		i := p.value(parent, depth+1)
		if i == none {
			return false
		}
		n := &p.nodes[i]
		n.key, n.keyEnd, n.keyEscaped = key, keyEnd, escaped
		if last == none {
			p.nodes[parent].child = i
		} else {
			p.nodes[last].next = i
		}
		last = i
		p.space()
		if p.pos >= len(p.text) {
			p.fail("unexpected end of body inside " + p.nodes[parent].kind.String())
			return false
		}
		switch p.text[p.pos] {
		case ',':
			p.pos++
			p.space()
		case closing:
			p.pos++
			return true
		default:
			p.fail("want a comma or the end of " + p.nodes[parent].kind.String())
			return false
		}
	}
}

// stringToken parses a string, whose quote is at the position, and returns its range without the quotes.
func (p *parser) stringToken() (from, to int32, escaped, ok bool) {
	p.pos++
	start := p.pos
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case c == '"':
			p.pos++
			return int32(start), int32(p.pos - 1), escaped, true
		case c == '\\':
			escaped = true
			if !p.escape() {
				return 0, 0, false, false
			}
		case c < 0x20:
			p.fail("unescaped control character in a string")
			return 0, 0, false, false
		default:
			p.pos++
		}
	}
	p.fail("unexpected end of body inside a string")
	return 0, 0, false, false
}

// escape checks one escape sequence and moves past it.
func (p *parser) escape() bool {
	rest := p.text[p.pos:]
	if len(rest) < 2 {
		p.fail("unexpected end of body inside a string")
		return false
	}
	if strings.IndexByte(`"\/bfnrt`, rest[1]) >= 0 {
		p.pos += 2
		return true
	}
	r, ok := hex4(rest)
	if !ok {
		p.fail("unknown escape sequence")
		return false
	}
	p.pos += 6
	if !utf16.IsSurrogate(r) {
		return true
	}
	if pairs(r, p.text[p.pos:]) == utf8.RuneError {
		// Senders that cut a text in the middle of a character make half a pair. RFC 8259 allows it, so a 400 would block
		// the marketplace for a title. It reads as U+FFFD; in an id, see idProblem.
		p.halves = true
		return true
	}
	p.pos += 6
	return true
}

// pairs returns the character that a surrogate makes with the escape that follows, or U+FFFD if it makes none.
func pairs(r rune, rest string) rune {
	low, ok := hex4(rest)
	if !ok {
		return utf8.RuneError
	}
	return utf16.DecodeRune(r, low)
}

// hex4 parses \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[2:6]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unescape decodes a string that stringToken has checked, so it needs no error. Half a surrogate pair becomes U+FFFD.
func unescape(s string) string { return unescapeTo(s, false) }

// unescapeTo keeps half a pair if exact is set, as the three bytes that UTF-8 would have for it.
func unescapeTo(s string, exact bool) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r, _ := hex4(s[i-1:])
			i += 4
			if utf16.IsSurrogate(r) {
				half := r
				if r = pairs(r, s[i+1:]); r != utf8.RuneError {
					i += 6
				} else if exact {
					b.Write([]byte{0xe0 | byte(half>>12), 0x80 | byte(half>>6)&0x3f, 0x80 | byte(half)&0x3f})
					continue
				}
			}
			b.WriteRune(r)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// wholeEscapes replaces the escapes of half a surrogate pair in a JSON text by that of U+FFFD. ClickHouse and many
// libraries refuse a text with halves. The text was parsed, so a backslash begins an escape.
func wholeEscapes(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		n := 2
		if r, ok := hex4(s[i:]); ok {
			n = 6
			if utf16.IsSurrogate(r) {
				if pairs(r, s[i+6:]) == utf8.RuneError {
					b.WriteString(`\ufffd`)
					i += n
					continue
				}
				n = 12
			}
		}
		b.WriteString(s[i : i+n])
		i += n
	}
	return b.String()
}

// number checks the grammar of a number. Its text stays as received: each reader converts it with its own precision.
func (p *parser) number() bool {
	if p.text[p.pos] == '-' {
		p.pos++
	}
	switch {
	case p.pos < len(p.text) && p.text[p.pos] == '0':
		p.pos++
	case p.digits() == 0:
		p.fail("want a digit")
		return false
	}
	if p.pos < len(p.text) && p.text[p.pos] == '.' {
		p.pos++
		if p.digits() == 0 {
			p.fail("want a digit")
			return false
		}
	}
	if p.pos < len(p.text) && p.text[p.pos]|0x20 == 'e' {
		p.pos++
		if p.pos < len(p.text) && (p.text[p.pos] == '+' || p.text[p.pos] == '-') {
			p.pos++
		}
		if p.digits() == 0 {
			p.fail("want a digit")
			return false
		}
	}
	return true
}

func (p *parser) digits() int {
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9' {
		p.pos++
	}
	return p.pos - start
}

func (p *parser) word(w string) bool {
	if !strings.HasPrefix(p.text[p.pos:], w) {
		p.fail("invalid JSON value")
		return false
	}
	p.pos += len(w)
	return true
}
