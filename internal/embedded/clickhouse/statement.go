package clickhouse

import (
	"errors"
	"fmt"
	"strings"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// kind decides how a statement runs.
type kind int

const (
	kindCommand kind = iota // returns nothing, or a small result
	kindSelect              // a result of any size, streamed
	kindShow                // a small result that has a header even without rows
	kindInsert              // the client sends the rows
	kindSession             // changes the session: SET, USE, temporary tables
)

// String returns the value of the metric label.
func (k kind) String() string {
	return [...]string{"command", "select", "show", "insert", "session"}[k]
}

// statement is a parsed query.
type statement struct {
	kind   kind
	sql    string // without a closing semicolon and without the FORMAT clause of a SELECT
	format string // the FORMAT clause of a SELECT, "" when there is none
	insert insertion
}

// insertion is the head of an INSERT whose rows come from the client.
type insertion struct {
	target   string // table, or function with its arguments
	columns  string // "(a, b)" as written, or ""
	settings string // "k = v, …" as written, or ""
	format   string // as written, "Values" for VALUES, or "" without either
	data     string // the text after the head
}

// ClickHouse's codes for the errors of the front itself.
const (
	codeNotImplemented = 48
	codeSyntax         = 62
	codeTooMany        = 202
	codeCancelled      = 394
	codeAuthentication = 516
)

// codeNames are ClickHouse's names of these codes, with which it ends the text of an error.
var codeNames = map[int]string{ //nolint:gochecknoglobals // A table, or set once.
	codeNotImplemented: "NOT_IMPLEMENTED", codeSyntax: "SYNTAX_ERROR", codeTooMany: "TOO_MANY_SIMULTANEOUS_QUERIES",
	codeCancelled: "QUERY_WAS_CANCELLED", codeAuthentication: "AUTHENTICATION_FAILED",
}

// codeUnknown is ClickHouse's code for an exception without a code of its own.
const codeUnknown = 1001

// codeOf returns the code for an error: that of a refusal, or codeUnknown.
func codeOf(err error) int {
	var refused *engine.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return codeUnknown
}

// refuse returns an error in the form of the engine's, by which clients recognize it.
func refuse(code int, format string, args ...any) error {
	return &engine.Error{
		Code:    code,
		Message: fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", code, fmt.Sprintf(format, args...), codeNames[code]),
	}
}

// parse returns the kind of a statement and the parts that the front needs.
func parse(sql string) (statement, error) {
	l := &lexer{sql: sql}
	first := l.next()
	switch {
	case first.kind == tokenEnd:
		return statement{}, refuse(codeSyntax, "Empty query")
	case l.is(first, "INSERT"):
		if ins, ok := parseInsert(l); ok {
			return statement{kind: kindInsert, sql: sql, insert: ins}, nil
		}
		return statement{kind: kindCommand, sql: sql}, nil
	}
	st := statement{kind: classify(l, first)}
	return st, st.trim(sql)
}

func classify(l *lexer, first token) kind {
	switch {
	case l.is(first, "SELECT", "WITH", "FROM"), l.punct(first, '('):
		return kindSelect
	case l.is(first, "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK"):
		return kindShow
	case l.is(first, "SET", "USE"):
		return kindSession
	case l.is(first, "CREATE", "DROP"):
		if l.is(l.next(), "TEMPORARY") {
			return kindSession
		}
	}
	return kindCommand
}

// trim fills the text and format of a statement: it drops the closing semicolon, refuses a second statement, and
// removes a FORMAT clause, because the front chooses the format of the engine's answer.
func (st *statement) trim(sql string) error {
	l := &lexer{sql: sql}
	end := len(sql)
	var cutFrom, cutTo int
	var before token
	depth := 0
	for t := l.next(); t.kind != tokenEnd; t = l.next() {
		switch {
		case l.punct(t, '('), l.punct(t, '['), l.punct(t, '{'):
			depth++
		case l.punct(t, ')'), l.punct(t, ']'), l.punct(t, '}'):
			depth--
		case l.punct(t, ';'):
			if l.next().kind != tokenEnd {
				return refuse(codeSyntax, "Syntax error (Multi-statements are not allowed): failed at the text after ';'")
			}
			end = t.from
		case depth == 0 && l.is(t, "FORMAT") && st.kind != kindCommand && endsExpression(l, before):
			resume := l.at
			name, after := l.next(), l.next()
			if name.kind == tokenWord && (after.kind == tokenEnd || l.punct(after, ';') || l.is(after, "SETTINGS")) {
				st.format, cutFrom, cutTo = l.text(name), t.from, name.to
			}
			l.at = resume
		}
		before = t
	}
	if st.format != "" {
		sql = sql[:cutFrom] + " " + sql[cutTo:end]
	} else {
		sql = sql[:end]
	}
	st.sql = strings.TrimSpace(sql)
	return nil
}

// endsExpression reports whether a clause may begin after the token. It distinguishes a FORMAT clause from a column
// with that name.
func endsExpression(l *lexer, t token) bool {
	switch t.kind {
	case tokenEnd:
		return false
	case tokenWord:
		return !l.is(t, "SELECT", "DISTINCT", "BY", "AS", "AND", "OR", "NOT", "WHERE", "HAVING",
			"FROM", "ON", "IN", "LIKE", "BETWEEN", "WHEN", "THEN", "ELSE", "FORMAT")
	case tokenPunct:
		return strings.IndexByte(")]}*", l.sql[t.from]) >= 0
	default:
		return true
	}
}

// parseInsert reads the head of an INSERT. It reports false when the client does not send the rows: they come from a
// SELECT or a file.
func parseInsert(l *lexer) (insertion, bool) {
	var ins insertion
	t := l.next()
	if !l.is(t, "INTO") {
		return ins, false
	}
	t = l.next()
	function := false
	if l.is(t, "TABLE") {
		// A table may be called TABLE too.
		n := (&lexer{sql: l.sql, at: l.at}).next()
		clause := l.is(n, "VALUES", "FORMAT", "SELECT", "SETTINGS", "WITH")
		if n.kind == tokenWord && !clause || n.kind == tokenQuoted {
			t = l.next()
		}
	}
	from := t.from
	if l.is(t, "FUNCTION") {
		function = true
		t = l.next()
	}
	to := l.part(t)
	for t = l.next(); l.punct(t, '.'); t = l.next() {
		to = l.part(l.next())
	}
	if function && l.punct(t, '(') {
		to = l.closing()
		t = l.next()
	}
	ins.target = l.sql[from:to]
	if l.punct(t, '(') {
		if n := (&lexer{sql: l.sql, at: l.at}).next(); l.is(n, "SELECT", "WITH") {
			return ins, false
		}
		ins.columns = l.sql[t.from:l.closing()]
		t = l.next()
	}
	if l.is(t, "SETTINGS") {
		from, to = l.at, l.at
		ends := func(t token) bool {
			return t.kind == tokenEnd || l.is(t, "VALUES", "FORMAT", "SELECT", "WITH", "FROM") || l.punct(t, ';')
		}
		for t = l.next(); !ends(t); t = l.next() {
			to = t.to
		}
		ins.settings = strings.TrimSpace(l.sql[from:to])
	}
	return ins, ins.rows(l, t)
}

// part skips one part of a table's name, which may be a {name:Identifier} parameter.
func (l *lexer) part(t token) (end int) {
	if l.punct(t, '{') {
		return l.closing()
	}
	return t.to
}

// rows reads the VALUES or FORMAT clause, which says how the rows come.
func (ins *insertion) rows(l *lexer, t token) bool {
	switch {
	case t.kind == tokenEnd, l.punct(t, ';'):
		return true
	case l.is(t, "VALUES"):
		ins.format, ins.data = "Values", l.sql[t.to:]
		return true
	case l.is(t, "FORMAT"):
		name := l.next()
		ins.format, ins.data = l.text(name), l.sql[name.to:]
		return name.kind == tokenWord
	}
	return false
}

// inline reports whether the rows are in the text of the statement.
func (ins *insertion) inline() bool {
	return strings.Trim(ins.data, "; \t\r\n\f") != ""
}
