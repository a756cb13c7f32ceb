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
// one statement at a time; different connections run in parallel. Not safe for concurrent use.
type Conn struct {
	lib    *Library
	owner  unsafe.Pointer // what closing wants
	handle unsafe.Pointer // what queries want
}

// Connect opens a connection on the data folder, which is created if need be. The options are further arguments of the
// engine such as --mark_cache_size=1000000; those of the server level count only for the connection that starts the
// engine. While any connection is open the folder can't be another one: closing the last stops the engine, so hold one
// for as long as the engine is needed.
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
	owner := l.connect(int32(len(args)), unsafe.Pointer(&argv[0])) //nolint:gosec // The C interface of the engine.
	runtime.KeepAlive(argv)
	if owner == nil || *(*unsafe.Pointer)(owner) == nil {
		l.release()
		return nil, fmt.Errorf("open %s: the engine refused the folder or an option of %q; its standard error says why", abs, options)
	}
	return &Conn{lib: l, owner: owner, handle: *(*unsafe.Pointer)(owner)}, nil
}

// Close closes the connection; a second call does nothing.
func (c *Conn) Close() {
	if c.owner == nil {
		return
	}
	c.lib.closeConn(c.owner)
	c.owner, c.handle = nil, nil
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

// Exec runs a statement whose result nobody wants.
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

// pinned holds parameters as the four C arrays the engine takes.
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
	p.names, p.values = unsafe.Pointer(&p.keep[0][0]), unsafe.Pointer(&p.keep[1][0])   //nolint:gosec // The C interface of the engine.
	p.nameLens, p.valueLens = unsafe.Pointer(&lens[0][0]), unsafe.Pointer(&lens[1][0]) //nolint:gosec // The C interface of the engine.
	return p
}

// pointer is where a string's bytes are; the engine wants an address even for none.
func pointer(s string) unsafe.Pointer {
	if s == "" {
		s = "\x00"
	}
	return unsafe.Pointer(unsafe.StringData(s)) //nolint:gosec // The C interface of the engine.
}
