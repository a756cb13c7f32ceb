package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// HeaderCorrelationID names the story that a request belongs to. A request without one gets a new one.
const HeaderCorrelationID = "X-Correlation-ID"

// maxBodyAhead is the most memory that Body allocates because a Content-Length announces it.
const maxBodyAhead = 64 << 10

// Call is one request on its way through its handler. Only that handler may use it.
type Call struct {
	Writer  http.ResponseWriter
	Request *http.Request
	// CorrelationID is the caller's or a new one. A handler that learns a better one may set it.
	CorrelationID string
	// TraceParent is the caller's W3C trace context; empty for none.
	TraceParent string

	status int
	attrs  []slog.Attr
}

// Note adds attributes to the log line of the request.
func (c *Call) Note(attrs ...slog.Attr) { c.attrs = append(c.attrs, attrs...) }

// Body reads the whole body, up to a limit. Its errors are problems.
func (c *Call) Body(limit int64) ([]byte, error) {
	var buf bytes.Buffer
	// Growing to the announced length first saves copying each body about three times. The length is the caller's claim,
	// so the memory for it is bounded.
	buf.Grow(int(min(max(c.Request.ContentLength, 0), maxBodyAhead)) + bytes.MinRead)
	if _, err := buf.ReadFrom(http.MaxBytesReader(c.Writer, c.Request.Body, limit)); err != nil {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return nil, asProblem(err)
		}
		return nil, Unreadable.New("the body ended early").Because(err)
	}
	return buf.Bytes(), nil
}

// Respond answers 200 with a document as JSON.
func (c *Call) Respond(document any) error {
	body, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	c.JSON(http.StatusOK, body)
	return nil
}

// JSON answers with a JSON text.
func (c *Call) JSON(status int, body []byte) {
	c.Writer.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.Bytes(status, body)
}

// Bytes answers with a body whose Content-Type is set already, or without one.
func (c *Call) Bytes(status int, body []byte) {
	c.status = status
	c.Writer.WriteHeader(status)
	if len(body) > 0 {
		_, _ = c.Writer.Write(body) // A caller that has gone needs no answer.
	}
}

// Printable returns a caller's text in a form that is safe in logs and in headers of records: at most 128 characters,
// all of them printable ASCII.
func Printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 128)]
}
