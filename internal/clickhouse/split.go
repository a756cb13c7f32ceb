package clickhouse

import (
	"errors"
	"io"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ClickHouse's error codes that this package branches on.
const (
	codeTableExists     = 57
	codeUnknownTable    = 60
	codeUnknownDatabase = 81
	codeUnknownUser     = 192
	codeWrongPassword   = 193
	codeAuthentication  = 516
)

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

func hasCode(err error, code int32) bool {
	var e *clickhouse.Exception
	return errors.As(err, &e) && e.Code == code
}

// split cuts a file into statements, at the semicolons outside quotes and comments. It removes line comments: the
// server would keep them in the text of a view.
func split(text string) []string {
	var statements []string
	var b strings.Builder
	end := func() {
		if s := strings.TrimSpace(b.String()); s != "" {
			statements = append(statements, s)
		}
		b.Reset()
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '-' && strings.HasPrefix(text[i:], "--"):
			for i < len(text) && text[i] != '\n' {
				i++
			}
			b.WriteByte('\n')
		case c == '\'' || c == '`' || c == '"':
			j := i + 1
			for j < len(text) && text[j] != c {
				if text[j] == '\\' {
					j++
				}
				j++
			}
			// A doubled quote ends one text and starts the next, with the same result.
			j = min(j, len(text)-1)
			b.WriteString(text[i : j+1])
			i = j
		case c == ';':
			end()
		default:
			b.WriteByte(c)
		}
	}
	end()
	return statements
}
