package clickhouse

import "strings"

// tokenKind distinguishes tokens as far as the front needs it.
type tokenKind byte

const (
	tokenEnd    tokenKind = iota
	tokenWord             // keyword or plain identifier
	tokenQuoted           // `identifier` or "identifier"
	tokenString           // 'text'
	tokenNumber
	tokenPunct // one byte of anything else
)

// token is a piece of SQL: sql[from:to].
type token struct {
	kind     tokenKind
	from, to int
}

// lexer cuts SQL into tokens. It knows just enough to find clauses and to skip strings, quoted names and comments.
type lexer struct {
	sql string
	at  int
}

func (l *lexer) next() token {
	l.skipBlank()
	from := l.at
	if from >= len(l.sql) {
		return token{tokenEnd, from, from}
	}
	switch c := l.sql[from]; {
	case c == '\'':
		l.quoted(c)
		return token{tokenString, from, l.at}
	case c == '`' || c == '"':
		l.quoted(c)
		return token{tokenQuoted, from, l.at}
	case isWordStart(c):
		l.run(func(c byte) bool { return isWordStart(c) || isDigit(c) })
		return token{tokenWord, from, l.at}
	case isDigit(c):
		l.run(func(c byte) bool { return isDigit(c) || isWordStart(c) || c == '.' })
		return token{tokenNumber, from, l.at}
	default:
		l.at++
		return token{tokenPunct, from, l.at}
	}
}

func (l *lexer) skipBlank() {
	for l.at < len(l.sql) {
		rest := l.sql[l.at:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v\x00", rest[0]) >= 0:
			l.at++
		case strings.HasPrefix(rest, "--"), rest[0] == '#':
			l.skipPast("\n")
		case strings.HasPrefix(rest, "/*"):
			l.at += 2
			l.skipPast("*/")
		default:
			return
		}
	}
}

func (l *lexer) skipPast(end string) {
	if i := strings.Index(l.sql[l.at:], end); i >= 0 {
		l.at += i + len(end)
		return
	}
	l.at = len(l.sql)
}

// quoted skips a quoted text; both backslashes and doubled quotes escape.
func (l *lexer) quoted(q byte) {
	for l.at++; l.at < len(l.sql); l.at++ {
		switch l.sql[l.at] {
		case '\\':
			l.at++
		case q:
			if l.at+1 < len(l.sql) && l.sql[l.at+1] == q {
				l.at++
				continue
			}
			l.at++
			return
		}
	}
	l.at = len(l.sql)
}

func (l *lexer) run(in func(byte) bool) {
	for l.at < len(l.sql) && in(l.sql[l.at]) {
		l.at++
	}
}

func (l *lexer) text(t token) string { return l.sql[t.from:t.to] }

// is reports whether the token is one of the keywords, in any case.
func (l *lexer) is(t token, words ...string) bool {
	if t.kind != tokenWord {
		return false
	}
	for _, w := range words {
		if strings.EqualFold(l.text(t), w) {
			return true
		}
	}
	return false
}

func (l *lexer) punct(t token, c byte) bool { return t.kind == tokenPunct && l.sql[t.from] == c }

// closing skips to the end of the bracket that was just opened, and returns the position behind it.
func (l *lexer) closing() int {
	for depth := 1; depth > 0; {
		t := l.next()
		switch {
		case t.kind == tokenEnd:
			return t.to
		case l.punct(t, '('), l.punct(t, '['), l.punct(t, '{'):
			depth++
		case l.punct(t, ')'), l.punct(t, ']'), l.punct(t, '}'):
			depth--
		}
	}
	return l.at
}

func isWordStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
