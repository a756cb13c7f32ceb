package ingest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/service"
)

// retryWait is how long the answer to a retry of a lane waits for the lane.
const retryWait = 20 * time.Second

// handleLanes mounts POST /lanes/{lane}/retry, which has a damaged lane read again. The status is 200 when the lane is
// open, or another instance has it and the standby continues; 202 while it is being read; 404 if it is not at this
// instance; 409 if it is still damaged.
func (i *Ingest) handleLanes(a *service.Admin) {
	a.Handle("POST /lanes/{lane}/retry", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lane, err := strconv.ParseInt(r.PathValue("lane"), 10, 32)
		if err != nil {
			http.Error(w, "lane: want a number", http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), retryWait)
		defer cancel()
		switch err := i.journal.RetryLane(ctx, int32(lane)); {
		case err == nil:
			w.WriteHeader(http.StatusOK)
		case errors.Is(err, journal.ErrInvalid):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case errors.Is(err, journal.ErrNotOwner):
			http.Error(w, err.Error(), http.StatusNotFound)
		case errors.Is(err, journal.ErrDamaged):
			http.Error(w, err.Error(), http.StatusConflict)
		default:
			http.Error(w, err.Error(), http.StatusAccepted)
		}
	}))
}
