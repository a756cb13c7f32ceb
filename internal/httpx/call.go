package httpx

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// HeaderCorrelationID names the story that a request belongs to. A request without one gets a new one.
const HeaderCorrelationID = "X-Correlation-ID"

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
	body   reservation
}

// Note adds attributes to the log line of the request.
func (c *Call) Note(attrs ...slog.Attr) { c.attrs = append(c.attrs, attrs...) }

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
