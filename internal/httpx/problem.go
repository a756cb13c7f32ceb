package httpx

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/internal/shipment"
)

// Kind is a sort of problem: the part that all its documents share.
type Kind struct {
	// Name is permanent; documents say urn:orderledger:problem:<name>.
	Name   string
	Status int
	// Code is the marketplace's name for it; empty if it has none.
	Code shipment.Code
	// Title is a short noun phrase.
	Title string
}

// The kinds that any server needs.
//
//nolint:gochecknoglobals // A table.
var (
	Unreadable       = Kind{"unreadable", http.StatusBadRequest, "INVALID_REQUEST_JSON", "Unreadable body"}
	TooLate          = Kind{"too_late", http.StatusRequestTimeout, CodeUnavailable, "Body not received in time"}
	Unauthorized     = Kind{"unauthorized", http.StatusUnauthorized, "UNAUTHORIZED", "Missing or invalid token"}
	NotFound         = Kind{"not_found", http.StatusNotFound, "NOT_FOUND", "Not found"}
	MethodNotAllowed = Kind{"method_not_allowed", http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "Method not allowed"}
	Encoded          = Kind{
		"content_encoding", http.StatusUnsupportedMediaType, shipment.CodeInvalidRequest, "Content encoding not supported",
	}
	TooLarge      = Kind{"too_large", http.StatusRequestEntityTooLarge, shipment.CodeInvalidRequest, "Body too large"}
	Unprocessable = Kind{
		"unprocessable", http.StatusUnprocessableEntity, shipment.CodeInvalidRequest,
		"Unprocessable request",
	}
	TooManyRequests = Kind{"too_many_requests", http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "Too many requests"}
	Internal        = Kind{"internal", http.StatusInternalServerError, CodeUnavailable, "Internal error"}
	Unavailable     = Kind{"unavailable", http.StatusServiceUnavailable, CodeUnavailable, "Temporarily unavailable"}
)

// CodeUnavailable is the marketplace's name for failures of a server.
const CodeUnavailable shipment.Code = "DEPENDENT_SYSTEM_CALL_FAILED"

// Problem is why a request as a whole is refused. It is an error, so handlers return it.
type Problem struct {
	Kind

	Detail string
	// Path and Offset locate the cause in the body. Offset is -1 if there is no such place.
	Path   string
	Offset int
	// RetryAfter asks the caller to wait that long before the next try. Zero sends no such header.
	RetryAfter time.Duration

	cause error
}

// New returns a problem of the kind.
func (k Kind) New(detail string) *Problem { return &Problem{Kind: k, Detail: detail, Offset: -1} }

// Because attaches an error for the log. The caller never sees it.
func (p *Problem) Because(err error) *Problem {
	p.cause = err
	return p
}

// After sets RetryAfter.
func (p *Problem) After(d time.Duration) *Problem {
	p.RetryAfter = d
	return p
}

// Error implements error.
func (p *Problem) Error() string {
	if p.cause != nil {
		return p.Name + ": " + p.cause.Error()
	}
	return p.Name + ": " + p.Detail
}

// Unwrap returns what Because attached.
func (p *Problem) Unwrap() error { return p.cause }

// asProblem returns the problem in the chain of an error, or a general one for any other error.
func asProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return TooLarge.New("the body has more than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes, which is the most")
	}
	return Internal.New("see the log of this request").Because(err)
}

// write answers with the problem document.
func (p *Problem) write(w http.ResponseWriter, correlationID string) {
	body := map[string]any{
		"type": "urn:orderledger:problem:" + p.Name, "title": p.Title, "status": p.Status, "detail": p.Detail,
		"instance": "urn:orderledger:request:" + correlationID,
	}
	if p.Code != "" {
		body["errorCode"] = p.Code
		body["errors"] = []map[string]any{
			{"severity": "ERROR", "code": p.Code, "description": p.Detail, "path": p.Path},
		}
	}
	if p.Kind == Unauthorized {
		// RFC 6750 requires the header; OAuth clients of the marketplace read the two members.
		body["error"], body["error_description"] = "invalid_token", p.Detail
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	if p.Path != "" {
		body["path"] = p.Path
	}
	if p.Offset >= 0 {
		body["offset"] = p.Offset
	}
	if p.RetryAfter > 0 {
		seconds := int64((p.RetryAfter + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	text, err := json.Marshal(body)
	if err != nil {
		text = []byte(`{"title":"Internal error","status":500}`) // Unreachable: strings and numbers always marshal.
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(text) // A caller that has gone needs no answer.
}

// attrs are the problem's part of the log line.
func (p *Problem) attrs() []slog.Attr {
	out := []slog.Attr{slog.String("problem", p.Name)}
	if p.cause != nil {
		out = append(out, slog.Any("err", p.cause))
	}
	return out
}
