package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
)

// problem is why a request as a whole is refused: an RFC 9457 problem document, or the marketplace's own form of one.
type problem struct {
	// Type is a permanent name; the document says urn:orderledger:problem:<type>.
	Type   string
	Status int
	Title  string
	Detail string
	// Code is the marketplace's name for it, where it has one.
	Code shipment.Code
	// Path and Offset say where in the body; Offset is -1 where there is no place.
	Path   string
	Offset int
	// RetryAfter asks the caller to wait.
	RetryAfter time.Duration
	// cause is for the log only.
	cause error
}

// Error implements error.
func (p *problem) Error() string {
	if p.cause != nil {
		return p.Type + ": " + p.cause.Error()
	}
	return p.Type + ": " + p.Detail
}

// The permanent names of problems. Each is a line of the table below.
const (
	problemUnreadable    = "unreadable"
	problemTooLarge      = "too_large"
	problemUnauthorized  = "unauthorized"
	problemBadSignature  = "bad_signature"
	problemPeer          = "peer_refused"
	problemUnknownSeller = "unknown_seller"
	problemNotFound      = "not_found"
	problemMethod        = "method_not_allowed"
	problemUnprocessable = "unprocessable"
	problemBusy          = "too_many_requests"
	problemUnavailable   = "unavailable"
	problemInDoubt       = "in_doubt"
	problemNotYet        = "not_yet"
	problemInternal      = "internal"
)

// problems is the one table from names to HTTP.
var problems = map[string]struct { //nolint:gochecknoglobals // A table.
	status int
	code   shipment.Code
	title  string
}{
	problemUnreadable:    {http.StatusBadRequest, "INVALID_REQUEST_JSON", "The body can't be read"},
	problemTooLarge:      {http.StatusRequestEntityTooLarge, shipment.CodeInvalidRequest, "The body is too large"},
	problemUnauthorized:  {http.StatusUnauthorized, "UNAUTHORIZED", "No valid token"},
	problemBadSignature:  {http.StatusUnauthorized, "UNAUTHORIZED", "The notification is not signed as it must be"},
	problemPeer:          {http.StatusUnauthorized, "", "The request is not one of an instance of this ledger"},
	problemUnknownSeller: {http.StatusNotFound, "NOT_FOUND", "The seller is not known here"},
	problemNotFound:      {http.StatusNotFound, "NOT_FOUND", "There is no such thing"},
	problemMethod:        {http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "The method is not allowed here"},
	problemUnprocessable: {http.StatusUnprocessableEntity, shipment.CodeInvalidRequest, "The request can't be obeyed"},
	problemBusy:          {http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "Too many calls"},
	problemUnavailable:   {http.StatusServiceUnavailable, "DEPENDENT_SYSTEM_CALL_FAILED", "Not now; send it again"},
	problemInDoubt:       {http.StatusServiceUnavailable, "DEPENDENT_SYSTEM_CALL_FAILED", "The outcome is not known; ask again with the same Idempotency-Key"},
	problemNotYet:        {http.StatusServiceUnavailable, "DEPENDENT_SYSTEM_CALL_FAILED", "The position is not readable yet"},
	problemInternal:      {http.StatusInternalServerError, "DEPENDENT_SYSTEM_CALL_FAILED", "Internal error"},
}

func newProblem(name, detail string) *problem {
	row := problems[name]
	return &problem{Type: name, Status: row.status, Title: row.title, Code: row.code, Detail: detail, Offset: -1}
}

// because attaches what the log is to say.
func (p *problem) because(err error) *problem {
	p.cause = err
	return p
}

func (p *problem) retryAfter(d time.Duration) *problem {
	p.RetryAfter = d
	return p
}

// problemOf turns any error into what the caller is told.
func problemOf(err error) *problem {
	var already *problem
	if errors.As(err, &already) {
		return already
	}
	var unreadable *marketplace.ProblemError
	if errors.As(err, &unreadable) {
		name := problemUnreadable
		if unreadable.Problem == marketplace.ProblemTooMany || unreadable.Problem == marketplace.ProblemEmpty {
			name = problemUnprocessable
		}
		p := newProblem(name, unreadable.Error())
		p.Path, p.Offset = unreadable.Path, unreadable.Offset
		return p
	}
	var filter *marketplace.FilterError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &filter):
		p := newProblem(problemUnprocessable, filter.Message)
		p.Code = filter.Code
		return p
	case errors.As(err, &tooLarge):
		return newProblem(problemTooLarge, "at most "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes are taken")
	case errors.Is(err, journal.ErrInDoubt):
		return newProblem(problemInDoubt, "the ledger did not confirm in time").because(err).retryAfter(time.Second)
	case errors.Is(err, errVersions):
		return newProblem(problemUnavailable, "instances of two versions read this differently, as in an upgrade: send it again").
			because(err).retryAfter(5 * time.Second)
	case errors.Is(err, journal.ErrNotOwner), errors.Is(err, journal.ErrLaneMoving), errors.Is(err, journal.ErrFenced):
		return newProblem(problemUnavailable, "the shipment's lane is not open here").because(err).retryAfter(time.Second)
	case errors.Is(err, errNoWay):
		return newProblem(problemUnavailable, "the instance that owns the shipment's lane can't be reached").because(err).retryAfter(time.Second)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return newProblem(problemUnavailable, "it took too long").because(err).retryAfter(time.Second)
	default:
		return newProblem(problemInternal, "see the log of this request").because(err)
	}
}

// write answers with the problem in RFC 9457, together with the two members that clients of the marketplace look for:
// errors[] and errorCode.
func (p *problem) write(w http.ResponseWriter, correlationID string) {
	body := map[string]any{
		"type": "urn:orderledger:problem:" + p.Type, "title": p.Title, "status": p.Status, "detail": p.Detail,
		"instance": "urn:orderledger:request:" + correlationID,
	}
	if p.Code != "" {
		body["errorCode"] = p.Code
		body["errors"] = []map[string]any{{"severity": "ERROR", "code": p.Code, "description": p.Detail, "path": p.Path}}
	}
	if p.Type == problemUnauthorized {
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
		text = []byte(`{"title":"Internal error","status":500}`) // Strings and numbers can be marshalled; this can't happen.
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(text) // A caller that has gone needs no answer.
}

// attrs are what the log line of the request says of it.
func (p *problem) attrs() []slog.Attr {
	out := []slog.Attr{slog.String("problem", p.Type)}
	if p.cause != nil {
		out = append(out, slog.Any("err", p.cause))
	}
	return out
}

func newReader(b []byte) io.Reader { return bytes.NewReader(b) }
