package clickhouse

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// session is one client's connection to the engine, with what the client changed there. One goroutine uses it at a
// time, except kill.
type session struct {
	server   *Server
	conn     *engine.Conn
	database string
	// settings are those that came with queries and are in force now. Clients repeat the same ones with every query, so
	// only what differs is set, and what is gone is taken back.
	settings map[string]applied
	// own is true once the client changed its session itself; only then is there something of its own that the settings of
	// a query may hide.
	own bool
	// running is the number of the statement in hand, 0 when idle.
	running atomic.Int64
}

// setting is a key and its value as it stands in SQL, quotes included.
type setting struct {
	key, value string
	important  bool // an unknown one is an error
}

// applied is a setting in force and what to put back after it.
type applied struct{ value, before string }

// newSession opens a connection to the engine, which costs a quarter of a millisecond.
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

// sessionOptions makes a connection behave as one to a server does. The time zone is UTC on every machine, as in the
// published image; the library knows it only as a setting of the session.
func sessionOptions() []string {
	return []string{"--implicit_select=0", "--session_timezone=UTC"}
}

func (s *session) close() { s.conn.Close() }

// apply puts the settings of a query in force, and takes back those of the query before.
func (s *session) apply(want []setting) error {
	wanted := make(map[string]string, len(want))
	for _, w := range want {
		if w.important || s.server.knows(w.key) {
			wanted[w.key] = w.value
		}
	}
	if err := s.takeBack(wanted); err != nil {
		return err
	}
	var set []string
	for key, value := range wanted {
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
		// Nothing of what was refused may stay behind.
		if renewErr := s.renew(err); renewErr != nil && !errors.Is(renewErr, err) {
			return errors.Join(err, renewErr)
		}
		return err
	}
	return nil
}

// takeBack ends the settings that are in force and no longer wanted.
func (s *session) takeBack(wanted map[string]string) error {
	var set []string
	for key, a := range s.settings {
		if _, ok := wanted[key]; !ok {
			set = append(set, quoteName(key)+" = "+a.before)
			delete(s.settings, key)
		}
	}
	if len(set) == 0 {
		return nil
	}
	if err := s.conn.Exec("SET " + strings.Join(set, ", ")); err != nil {
		// readonly = 1 forbids even taking itself back.
		return s.renew(err)
	}
	return nil
}

// current is what a setting goes back to after a query.
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

// renew gives the session a fresh connection after settings could not be put in force or taken back. A session that the
// client set up itself can't be made anew: it fails with the reason.
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

// mark numbers a statement and puts the number in front of it as a comment, by which kill finds it: the library gives
// no way to name a query's id.
func (s *session) mark(sql string) string {
	n := s.server.statements.Add(1)
	s.running.Store(n)
	return markOf(n) + sql
}

func markOf(n int64) string { return fmt.Sprintf("/*s%d*/ ", n) }

func (s *session) query(sql, format string, params []engine.Param) (*engine.Result, error) {
	defer s.running.Store(0)
	return s.conn.Query(s.mark(sql), format, params...)
}

// kill ends the statement in hand, if there is one, from another connection. It may be called at any time.
func (s *session) kill() {
	if n := s.running.Load(); n != 0 {
		s.server.killStatement(n)
	}
}

// quoteText writes a string literal.
func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`).Replace(s) + "'"
}

// quoteName writes an identifier.
func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}

// unquoteText reads the text form of a field as it comes in the query packet: a quoted string with escapes, or anything
// else as it is.
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
