package clickhouse

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// session is the connection of one client to the engine, and its settings. One goroutine uses it at a time, except for
// kill.
type session struct {
	server   *Server
	conn     *engine.Conn
	database string
	// settings are the settings of queries that are in force now. Clients repeat the same settings with every query, so
	// only the differences are set and reset.
	settings map[string]applied
	// own is true once the client changed its session itself. Only then does a setting of a query have to be reset to a
	// value other than the default.
	own bool
	// running is the number of the running statement, 0 when idle.
	running atomic.Int64
}

// setting is a key and its value as an SQL literal, with its quotes.
type setting struct {
	key, value string
	important  bool // an unknown setting is an error
}

// applied is the value of a setting that is in force, and the one to reset it to.
type applied struct{ value, before string }

// newSession opens a connection to the engine, which takes a quarter of a millisecond.
func (s *Server) newSession(database string) (*session, error) {
	conn, err := s.library.Connect(s.folder.engine, sessionOptions()...)
	if err != nil {
		return nil, err
	}
	ses := &session{server: s, conn: conn, database: database, settings: map[string]applied{}}
	if database != "" && database != "default" {
		if err := conn.Exec("USE " + quoteName(database)); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return ses, nil
}

// sessionOptions make a connection behave like one to a server. The time zone is UTC on every machine, as in the
// published image; the library has it only as a setting of the session.
func sessionOptions() []string {
	return []string{"--implicit_select=0", "--session_timezone=UTC"}
}

func (s *session) close() { s.conn.Close() }

// apply puts the settings of a query in force, and resets those of the previous query.
func (s *session) apply(settings []setting) error {
	next := make(map[string]string, len(settings))
	for _, w := range settings {
		if w.important || s.server.knows(w.key) {
			next[w.key] = w.value
		}
	}
	if err := s.reset(next); err != nil {
		return err
	}
	var set []string
	for key, value := range next {
		now, ok := s.settings[key]
		if ok && now.value == value {
			continue
		}
		if !ok {
			now.before = s.current(key)
		}
		now.value = value
		s.settings[key] = now
		set = append(set, quoteName(key)+" = "+value)
	}
	if len(set) == 0 {
		return nil
	}
	if err := s.conn.Exec("SET " + strings.Join(set, ", ")); err != nil {
		// The engine may have applied a part of the settings that it refused.
		if renewErr := s.renew(err); renewErr != nil && !errors.Is(renewErr, err) {
			return errors.Join(err, renewErr)
		}
		return err
	}
	return nil
}

// reset resets the settings that are in force and not among the next ones.
func (s *session) reset(next map[string]string) error {
	var set []string
	for key, a := range s.settings {
		if _, ok := next[key]; !ok {
			set = append(set, quoteName(key)+" = "+a.before)
			delete(s.settings, key)
		}
	}
	if len(set) == 0 {
		return nil
	}
	if err := s.conn.Exec("SET " + strings.Join(set, ", ")); err != nil {
		// readonly = 1 forbids even resetting itself.
		return s.renew(err)
	}
	return nil
}

// current returns the value to which a setting is reset after a query.
func (s *session) current(key string) string {
	if !s.own {
		return "DEFAULT"
	}
	res, err := s.conn.Query("SELECT value FROM system.settings WHERE changed AND name = "+quoteText(key), "RawBLOB")
	if err != nil {
		return "DEFAULT"
	}
	defer res.Close()
	if v := res.Bytes(); len(v) > 0 {
		return quoteText(string(v))
	}
	return "DEFAULT"
}

// renew opens a new connection for the session after settings could not be applied or reset. It fails with the reason
// when the client changed the session itself, because that can't be repeated.
func (s *session) renew(reason error) error {
	if s.own {
		return reason
	}
	fresh, err := s.server.newSession(s.database)
	if err != nil {
		return err
	}
	s.conn.Close()
	s.conn, s.settings = fresh.conn, fresh.settings
	return nil
}

// number gives a statement a number and puts that in front of it as a comment, by which kill finds it: the library
// can't set the id of a query.
func (s *session) number(sql string) string {
	n := s.server.statements.Add(1)
	s.running.Store(n)
	return commentOf(n) + sql
}

func commentOf(n int64) string { return fmt.Sprintf("/*s%d*/ ", n) }

func (s *session) query(sql, format string, params []engine.Param) (*engine.Result, error) {
	defer s.running.Store(0)
	return s.conn.Query(s.number(sql), format, params...)
}

// kill ends the running statement, if there is one, from another connection. It may be called at any time.
func (s *session) kill() {
	if n := s.running.Load(); n != 0 {
		s.server.killStatement(n)
	}
}

// quoteText returns a string literal.
func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`).Replace(s) + "'"
}

// quoteName returns a quoted identifier.
func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}

// unquoteText returns the value of a parameter in the query packet: it unescapes a quoted string, and returns all other
// text unchanged.
func unquoteText(s string) string {
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		return s
	}
	return unescape(s[1 : len(s)-1])
}

// unescape resolves backslashes and doubled quotes.
func unescape(in string) string {
	if !strings.ContainsAny(in, `\'`) {
		return in
	}
	var b strings.Builder
	for i := 0; i < len(in); i++ {
		c := in[i]
		switch {
		case c == '\\' && i+1 < len(in):
			i++
			c = in[i]
			if j := strings.IndexByte("btnrf0", c); j >= 0 {
				c = "\b\t\n\r\f\x00"[j]
			}
		case c == '\'' && i+1 < len(in) && in[i+1] == '\'':
			i++
		}
		b.WriteByte(c)
	}
	return b.String()
}
