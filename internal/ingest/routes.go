package ingest

import (
	"context"
	"net/http"
	"strings"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/marketplace"
)

// The headers of our own, beside httpx.HeaderCorrelationID.
const (
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderPosition       = "Ledger-Position"
	HeaderIfPosition     = "If-Position-At-Least"
	HeaderHistory        = "Ledger-History"
)

// handlers are the concerns that answer requests.
type handlers struct {
	access        *access
	disks         *disks
	notifications *notifications
	commands      *commands
	reads         *reads
	progress      *progress
	patterns      []string // Of all routes, once they are registered.
}

// routes registers all routes. Paths are the marketplace's own, below /sellers, so that its clients work with another
// base URL. If its pages disagree on a method, both are served.
func (h *handlers) routes(server *httpx.Server) http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, fn httpx.Handler) {
		h.patterns = append(h.patterns, pattern)
		mux.Handle(pattern, server.Handle(pattern, problems(fn)))
	}
	// Routes that write explain why they can't.
	onWrite := func(pattern string, fn httpx.Handler) { on(pattern, h.disks.explains(fn)) }
	onSeller := func(pattern string, fn sellerHandler) { on(pattern, h.access.seller(fn)) }
	onRead := func(pattern string, fn sellerHandler) { onSeller(pattern, h.reads.fresh(fn)) }

	onWrite("POST /notifications", h.notifications.handle)
	onWrite("POST /notifications/{seller}", h.notifications.handle)

	for _, action := range marketplace.Actions() {
		onWrite("POST /sellers"+action.Path, h.access.seller(h.commands.action(action)))
	}
	onWrite("POST /sellers/v3/shipments/{id}/update", h.access.seller(h.commands.update))

	onRead("GET /sellers/v3/shipments", h.reads.find)
	onSeller("POST /sellers/v3/shipments/filter", h.reads.search)
	onSeller("POST /sellers/v3/shipments/filter/{$}", h.reads.search)
	onRead("GET /sellers/v3/shipments/filter", h.reads.next)
	onRead("GET /sellers/v3/shipments/filter/{$}", h.reads.next)
	onRead("GET /sellers/v3/shipments/{ids}", h.reads.details)
	onRead("GET /sellers/v3/shipments/{ids}/labels", h.reads.labels(marketplace.MaxShipmentIDs))
	onRead("POST /sellers/v3/shipments/{ids}/labelOnly/pdf", h.reads.labels(marketplace.MaxLabelOnlyIDs))
	onRead("GET /sellers/v3/shipments/{ids}/labelOnly/pdf", h.reads.labels(marketplace.MaxLabelOnlyIDs))
	onRead("POST /sellers/v3/shipments/{ids}/labelOnly", h.reads.labelOnly)
	onRead("GET /sellers/v3/shipments/{ids}/labelOnly", h.reads.labelOnly)
	onRead("GET /sellers/v3/shipments/{ids}/invoices", h.reads.invoices)
	onRead("GET /sellers/v3/shipments/{ids}/forms", h.reads.forms)
	onRead("POST /sellers/v3/shipments/{ids}/forms", h.reads.forms)

	for pattern, fn := range h.operations() {
		on(pattern, h.access.operator(fn))
	}
	on("/", func(_ context.Context, c *httpx.Call) error {
		r := c.Request
		if allowed := allowedMethods(mux, r); len(allowed) > 0 {
			c.Writer.Header().Set("Allow", strings.Join(allowed, ", "))
			return httpx.MethodNotAllowed.New(r.URL.Path + " takes " + strings.Join(allowed, " and "))
		}
		return httpx.NotFound.New("nothing is served at " + r.Method + " " + r.URL.Path)
	})
	return mux
}

// operations are the routes about the ledger as a whole, for operators.
func (h *handlers) operations() map[string]httpx.Handler {
	return map[string]httpx.Handler{"GET /progress": h.progress.handle, "GET /decisions/summary": h.reads.summary}
}

// allowedMethods returns the methods that the path of a request is served with.
func allowedMethods(mux *http.ServeMux, r *http.Request) []string {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	return allowed
}
