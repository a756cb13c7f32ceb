package engine

import (
	"fmt"
	"path/filepath"
	"runtime"
	"unsafe"
)

// Param is a value for a {name:Type} placeholder, in ClickHouse's text form.
type Param struct{ Name, Value string }

// Conn is one connection to the engine: a session with its own current database, settings and temporary tables. It runs
// one statement at a time and is not safe for concurrent use; several connections run in parallel.
type Conn struct {
	lib    *Library
	outer  unsafe.Pointer // the argument of closeConn; it points to handle
	handle unsafe.Pointer // the argument of queries
}

// Connect opens a connection on the data folder, which it creates if it does not exist. The options are further
// arguments of the engine, such as --mark_cache_size=1000000; server options take effect only for the connection that
// starts the engine. All open connections use one folder. Closing the last one stops the engine, so hold one for as
// long as the engine is needed.
func (l *Library) Connect(folder string, options ...string) (*Conn, error) {
	abs, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", folder, err)
	}
	if err := l.claim(abs); err != nil {
		return nil, err
	}
	args := append([]string{"clickhouse", "--path=" + abs}, options...)
	argv := make([]*byte, 0, len(args)+1)
	for _, a := range args {
		argv = append(argv, &append([]byte(a), 0)[0])
	}
	argv = append(argv, nil)
	outer := l.connect(int32(len(args)), unsafe.Pointer(&argv[0])) //nolint:gosec // The C interface of the engine.
	runtime.KeepAlive(argv)
	if outer == nil || *(*unsafe.Pointer)(outer) == nil {
		l.release()
		return nil, fmt.Errorf("open %s: the engine refused the folder or an option of %q; its standard error says why",
			abs, options)
	}
	return &Conn{lib: l, outer: outer, handle: *(*unsafe.Pointer)(outer)}, nil
}

// Close closes the connection; a second call does nothing.
func (c *Conn) Close() {
	if c.outer == nil {
		return
	}
	c.lib.closeConn(c.outer)
	c.outer, c.handle = nil, nil
	c.lib.release()
}

// Query runs a statement to its end and returns the whole result in the given output format.
func (c *Conn) Query(sql, format string, params ...Param) (*Result, error) {
	if c.handle == nil {
		return nil, errClosed
	}
	p := pin(params)
	res := c.lib.query(c.handle, pointer(sql), uintptr(len(sql)), pointer(format), uintptr(len(format)),
		p.names, p.nameLens, p.values, p.valueLens, uintptr(len(params)))
	runtime.KeepAlive(p)
	return c.lib.result(res)
}

// Exec runs a statement and drops its result.
func (c *Conn) Exec(sql string, params ...Param) error {
	res, err := c.Query(sql, "Null", params...)
	if err != nil {
		return err
	}
	res.Close()
	return nil
}

// Stream starts a SELECT and returns its result in pieces, each a document of its own in the output format. The
// connection runs nothing else until the stream is closed.
func (c *Conn) Stream(sql, format string, params ...Param) (*Stream, error) {
	if c.handle == nil {
		return nil, errClosed
	}
	p := pin(params)
	res := c.lib.stream(c.handle, pointer(sql), uintptr(len(sql)), pointer(format), uintptr(len(format)),
		p.names, p.nameLens, p.values, p.valueLens, uintptr(len(params)))
	runtime.KeepAlive(p)
	head, err := c.lib.result(res)
	if err != nil {
		return nil, err
	}
	return &Stream{conn: c, head: head}, nil
}

// pinned holds parameters as the four C arrays that the engine takes.
type pinned struct {
	names, nameLens, values, valueLens unsafe.Pointer
	keep                               [2][]*byte
}

func pin(params []Param) *pinned {
	p := new(pinned)
	if len(params) == 0 {
		return p
	}
	lens := [2][]uintptr{make([]uintptr, len(params)), make([]uintptr, len(params))}
	for i, param := range params {
		for j, s := range []string{param.Name, param.Value} {
			p.keep[j] = append(p.keep[j], (*byte)(pointer(s)))
			lens[j][i] = uintptr(len(s))
		}
	}
	p.names = unsafe.Pointer(&p.keep[0][0])   //nolint:gosec // The C interface of the engine.
	p.values = unsafe.Pointer(&p.keep[1][0])  //nolint:gosec // The C interface of the engine.
	p.nameLens = unsafe.Pointer(&lens[0][0])  //nolint:gosec // The C interface of the engine.
	p.valueLens = unsafe.Pointer(&lens[1][0]) //nolint:gosec // The C interface of the engine.
	return p
}

// pointer returns the address of a string's bytes; the engine needs one even for an empty string.
func pointer(s string) unsafe.Pointer {
	if s == "" {
		s = "\x00"
	}
	return unsafe.Pointer(unsafe.StringData(s)) //nolint:gosec // The C interface of the engine.
}
