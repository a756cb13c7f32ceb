package ingest

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/orderledger/orderledger/internal/disk"
	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/shipment"
)

// The kinds of problems that only this package has.
//
//nolint:gochecknoglobals // A table.
var (
	badSignature = httpx.Kind{
		Name: "bad_signature", Status: http.StatusUnauthorized, Code: "UNAUTHORIZED", Title: "Missing or invalid signature",
	}
	unknownSeller = httpx.Kind{
		Name: "unknown_seller", Status: http.StatusNotFound, Code: "NOT_FOUND", Title: "Unknown seller",
	}
	inDoubt = httpx.Kind{
		Name: "in_doubt", Status: http.StatusServiceUnavailable, Code: codeInDoubt,
		Title: "Unknown outcome; repeat with the same Idempotency-Key",
	}
	notYet = httpx.Kind{
		Name: "not_yet", Status: http.StatusServiceUnavailable, Code: httpx.CodeUnavailable,
		Title: "Position not readable yet",
	}
)

// codeInDoubt is the code of a call, or of an item, that may be stored. It is permanent. The marketplace has no name
// for this: its DEPENDENT_SYSTEM_CALL_FAILED says that nothing is stored, and a client may then do something else.
const codeInDoubt shipment.Code = "OUTCOME_IN_DOUBT"

// retrySoon is the Retry-After of temporary problems.
const retrySoon = time.Second

// problems makes a handler return problems only.
func problems(h httpx.Handler) httpx.Handler {
	return func(ctx context.Context, c *httpx.Call) error {
		if err := h(ctx, c); err != nil {
			return problemOf(err)
		}
		return nil
	}
}

// problemOf is the one table from errors to problems.
func problemOf(err error) *httpx.Problem {
	var already *httpx.Problem
	if errors.As(err, &already) {
		return already
	}
	var unreadable *marketplace.ProblemError
	if errors.As(err, &unreadable) {
		kind := httpx.Unreadable
		if unreadable.Problem == marketplace.ProblemTooMany || unreadable.Problem == marketplace.ProblemEmpty {
			kind = httpx.Unprocessable
		}
		p := kind.New(unreadable.Error())
		p.Path, p.Offset = unreadable.Path, unreadable.Offset
		return p
	}
	var filter *marketplace.FilterError
	unavailable := func(detail string, after time.Duration) *httpx.Problem {
		return httpx.Unavailable.New(detail).Because(err).After(after)
	}
	switch {
	case errors.As(err, &filter):
		p := httpx.Unprocessable.New(filter.Message)
		p.Code = filter.Code
		return p
	case errors.Is(err, journal.ErrInDoubt):
		return inDoubt.New("the ledger did not confirm in time").Because(err).After(retrySoon)
	case errors.Is(err, peer.ErrVersions):
		return unavailable("instances of two versions read this differently, as in an upgrade: send it again", 5*time.Second)
	case errors.Is(err, journal.ErrNotOwner), errors.Is(err, journal.ErrLaneMoving), errors.Is(err, journal.ErrFenced):
		return unavailable("the shipment's lane is not open here", retrySoon)
	case errors.Is(err, peer.ErrOwnerUnreachable):
		return unavailable("the instance that owns the shipment's lane cannot be reached", retrySoon)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return unavailable("it took too long", retrySoon)
	case disk.Full(err):
		return fullProblem(err)
	default:
		return httpx.Internal.New("see the log of this request").Because(err)
	}
}

// noReadModel is the answer of an instance without ClickHouse.
func noReadModel() *httpx.Problem {
	return httpx.Unavailable.New("this instance has no read model").After(retrySoon)
}
