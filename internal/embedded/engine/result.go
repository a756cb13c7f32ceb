package engine

import (
	"errors"
	"strconv"
	"strings"
	"unsafe"
)

var errClosed = errors.New("the connection to the engine is closed")

// Error is an error that the engine returned.
type Error struct {
	// Code is ClickHouse's error code, 1001 (unknown exception) when the text has none.
	Code int
	// Message is the engine's text, with its "Code: N. DB::Exception: " beginning.
	Message string
}

// Error returns the engine's text.
func (e *Error) Error() string { return e.Message }

// codeUnknown is ClickHouse's code for an exception without a code of its own.
const codeUnknown = 1001

func newError(message string) *Error {
	e := &Error{Code: codeUnknown, Message: message}
	if _, after, ok := strings.Cut(message, "Code: "); ok {
		digits := after[:len(after)-len(strings.TrimLeft(after, "0123456789"))]
		if n, err := strconv.Atoi(digits); err == nil {
			e.Code = n
		}
	}
	return e
}

// Stats counts the rows and bytes that a statement read and wrote.
type Stats struct {
	ReadRows, ReadBytes, WrittenRows, WrittenBytes uint64
}

// Result is the result of a statement. It holds memory of the engine until it is closed.
type Result struct {
	lib *Library
	ptr unsafe.Pointer
}

// result wraps the pointer that a call returned, or turns it into an error.
func (l *Library) result(ptr unsafe.Pointer) (*Result, error) {
	if ptr == nil {
		return nil, newError("the engine returned nothing")
	}
	if text := l.errorText(ptr); text != "" {
		l.destroy(ptr)
		return nil, newError(text)
	}
	return &Result{lib: l, ptr: ptr}, nil
}

// Bytes returns the result in the requested format. It is memory of the engine, valid until Close, and must not be
// written to.
func (r *Result) Bytes() []byte {
	n := r.lib.length(r.ptr)
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(r.lib.buffer(r.ptr)), n) //nolint:gosec // The C interface of the engine.
}

// Stats returns the counts of the statement.
func (r *Result) Stats() Stats {
	return Stats{
		ReadRows: r.lib.rowsRead(r.ptr), ReadBytes: r.lib.bytesRead(r.ptr),
		WrittenRows: r.lib.rowsWritten(r.ptr), WrittenBytes: r.lib.bytesWritten(r.ptr),
	}
}

// Close frees the result; a second call does nothing.
func (r *Result) Close() {
	if r.ptr != nil {
		r.lib.destroy(r.ptr)
		r.ptr = nil
	}
}

// Stream is the result of a SELECT in pieces.
type Stream struct {
	conn *Conn
	head *Result
	done bool
	// fetched is true after the first call of Next.
	fetched bool
}

// Next returns the next piece, or nil at the end. The caller closes each piece.
func (s *Stream) Next() (*Result, error) {
	if s.done {
		return nil, nil
	}
	s.fetched = true
	res, err := s.conn.lib.result(s.conn.lib.fetch(s.conn.handle, s.head.ptr))
	if err != nil {
		s.done = true
		return nil, err
	}
	if s.conn.lib.length(res.ptr) == 0 {
		s.done = true
		res.Close()
		return nil, nil
	}
	return res, nil
}

// Close frees the stream and cancels the SELECT if it is still running; a second call does nothing.
func (s *Stream) Close() {
	if !s.fetched {
		// Cancelling before the first piece runs the SELECT to its end, which an endless one never reaches.
		if res, err := s.Next(); err == nil && res != nil {
			res.Close()
		}
	}
	if !s.done {
		s.conn.lib.cancel(s.conn.handle, s.head.ptr)
		s.done = true
	}
	s.head.Close()
}
