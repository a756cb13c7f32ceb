package httpx

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultBodyBytes is the memory that all bodies together may take, beside the first smallBody bytes of each.
const DefaultBodyBytes = 64 << 20

const (
	// smallBody is how much of each body needs no place in the budget. Most bodies are smaller, so a flood of large ones
	// that never end refuses only large ones.
	smallBody = 16 << 10
	// firstBuffer is what a body of unknown length gets at first.
	firstBuffer = 512
	// bodyTimeout bounds reading a body. Bodies are small, so a client that needs longer only holds memory.
	bodyTimeout = 15 * time.Second
)

// bodyBudget bounds the memory of bodies over all requests of a Server.
type bodyBudget struct {
	limit atomic.Int64
	used  atomic.Int64
}

// reservation is a request's part of the budget.
type reservation struct {
	budget  *bodyBudget
	refused func()
	bytes   int64
}

// grow reserves what a buffer of size bytes needs, and reports whether it may exist.
func (r *reservation) grow(size int) bool {
	more := max(int64(size)-smallBody, 0) - r.bytes
	if more <= 0 {
		return true
	}
	if r.budget.used.Add(more) > r.budget.limit.Load() {
		r.budget.used.Add(-more)
		r.refused()
		return false
	}
	r.bytes += more
	return true
}

func (r *reservation) release() {
	r.budget.used.Add(-r.bytes)
	r.bytes = 0
}

// Body reads the whole body, up to a limit. It takes memory only for bytes that have arrived, whatever length the
// caller announces, and refuses a large body while all bodies together take too much. It refuses a compressed body,
// because the limit would not bound what it expands to. Its errors are problems.
func (c *Call) Body(limit int64) ([]byte, error) {
	if coding := c.Request.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		c.Writer.Header().Set("Accept-Encoding", "identity")
		return nil, Encoded.New("the body has the Content-Encoding " + Printable(coding) + ": send it uncompressed")
	}
	control := http.NewResponseController(c.Writer)
	// Not every writer has a connection: tests record answers.
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	body := http.MaxBytesReader(c.Writer, c.Request.Body, limit)
	first := firstBuffer
	if n := c.Request.ContentLength; n > 0 {
		first = int(min(n, smallBody-1)) + 1 // One more, so that the end is found without growing.
	}
	buf := make([]byte, 0, first)
	for {
		if len(buf) == cap(buf) {
			size := int(min(2*int64(cap(buf)), max(limit, smallBody)+1))
			if !c.body.grow(size) {
				c.abandonBody(control)
				return nil, Unavailable.New("too many large bodies at once").After(time.Second)
			}
			buf = append(make([]byte, 0, size), buf...)
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case errors.Is(err, io.EOF):
			// Else it would end the context of the request while its handler still works.
			_ = control.SetReadDeadline(time.Time{})
			return buf, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.abandonBody(control)
			// Not 400, which senders do not repeat: nothing is wrong with the body.
			return nil, TooLate.New("the body did not arrive within " + bodyTimeout.String() + "; repeat it").Because(err)
		case err != nil:
			if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
				return nil, asProblem(err)
			}
			return nil, Unreadable.New("the body ended early").Because(err)
		}
	}
}

// abandonBody makes the answer the last one of its connection. net/http would otherwise read the rest of the body
// first, for as long as the client takes.
func (c *Call) abandonBody(control *http.ResponseController) {
	c.Writer.Header().Set("Connection", "close")
	_ = control.SetReadDeadline(time.Now().Add(time.Second))
}
