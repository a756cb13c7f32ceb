package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/peer"
)

// Only an error that nobody foresaw is a mistake of ours; whatever passes is a 503 that says so.
func TestProblemOfEveryError(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err    error
		name   string
		status int
	}{
		{journal.ErrInDoubt, "in_doubt", http.StatusServiceUnavailable},
		{errors.Join(journal.ErrInDoubt, context.DeadlineExceeded), "in_doubt", http.StatusServiceUnavailable},
		{peer.ErrVersions, "unavailable", http.StatusServiceUnavailable},
		{journal.ErrNotOwner, "unavailable", http.StatusServiceUnavailable},
		{journal.ErrLaneMoving, "unavailable", http.StatusServiceUnavailable},
		{journal.ErrFenced, "unavailable", http.StatusServiceUnavailable},
		{peer.ErrOwnerUnreachable, "unavailable", http.StatusServiceUnavailable},
		{context.DeadlineExceeded, "unavailable", http.StatusServiceUnavailable},
		{context.Canceled, "unavailable", http.StatusServiceUnavailable},
		{syscall.ENOSPC, "disk_full", http.StatusServiceUnavailable},
		{httpx.NotFound.New("nothing is there"), "not_found", http.StatusNotFound},
		{&marketplace.ProblemError{Problem: marketplace.ProblemTooMany}, "unprocessable", http.StatusUnprocessableEntity},
		{&marketplace.ProblemError{Problem: marketplace.ProblemEmpty}, "unprocessable", http.StatusUnprocessableEntity},
		{&marketplace.ProblemError{}, "unreadable", http.StatusBadRequest},
		{&marketplace.FilterError{Message: "no such state"}, "unprocessable", http.StatusUnprocessableEntity},
		{errors.New("a mistake"), "internal", http.StatusInternalServerError},
	} {
		got := problemOf(fmt.Errorf("step: %w", tc.err))
		require.Equal(t, tc.name, got.Name, "%v", tc.err)
		require.Equal(t, tc.status, got.Status, "%v", tc.err)
		require.Equal(t, tc.status == http.StatusServiceUnavailable, got.RetryAfter > 0, "%v", tc.err)
	}
}
