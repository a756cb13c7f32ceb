package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// authSeller is the auth type of inputs that come from calls of sellers.
const authSeller = "seller"

// maxKeyBytes is the length of the longest Idempotency-Key.
const maxKeyBytes = 128

// commands executes the calls of sellers that change something.
type commands struct {
	access   *access
	disks    *disks
	router   *peer.Router
	states   states
	settings marketplace.Settings
	maxBody  int64
	timeout  time.Duration
	// readTimeout bounds finding the shipments of returns and services.
	readTimeout time.Duration
	watcher     *watcher
	// lookupTimeout is how long a call waits for tables that lack its returns or services.
	lookupTimeout time.Duration
	log           *slog.Logger
	counted       *prometheus.CounterVec
}

// request is a seller's call that is being executed.
type request struct {
	*httpx.Call
	who     *sellers.Seller
	action  marketplace.Action
	pathID  string // The shipment in the path; empty if the body names it.
	body    []byte
	items   []marketplace.Command
	targets []target // Of the items.
}

// action returns the handler of an action: one command per item, one result per item.
func (m *commands) action(action marketplace.Action) sellerHandler {
	return func(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
		body, err := c.Body(m.maxBody)
		if err != nil {
			return err
		}
		c.Note(slog.String("action", action.Name))
		items, err := action.Read(body, m.settings)
		if err != nil {
			noteRefusal(c, err)
			return err
		}
		return m.execute(ctx, &request{Call: c, who: who, action: action, body: body, items: items})
	}
}

// update handles the one call that names its shipment in the path.
func (m *commands) update(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
	body, err := c.Body(m.maxBody)
	if err != nil {
		return err
	}
	c.Note(slog.String("action", marketplace.RouteUpdate))
	item, err := marketplace.ReadUpdate(c.Request.PathValue("id"), body, m.settings)
	if err != nil {
		noteRefusal(c, err)
		return err
	}
	return m.execute(ctx, &request{
		Call: c, who: who, pathID: item.ShipmentID, body: body, items: []marketplace.Command{item},
		action: marketplace.Action{Name: marketplace.RouteUpdate, Subject: marketplace.SubjectShipment},
	})
}

// execute submits the commands of a call and answers with their results.
func (m *commands) execute(ctx context.Context, r *request) error {
	key := r.Request.Header.Get(HeaderIdempotencyKey)
	if key != httpx.Printable(key) || len(key) > maxKeyBytes {
		return httpx.Unprocessable.New("Idempotency-Key: want at most 128 printable ASCII characters")
	}
	if err := m.access.admitItems(r.who, len(r.items)); err != nil {
		return err
	}
	if err := m.disks.admit(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	if err := within(ctx, m.readTimeout, func(ctx context.Context) (err error) {
		r.targets, err = m.findTargets(ctx, r.who.ID, r.action, r.items)
		return err
	}); err != nil {
		return err
	}
	call := peer.Call{
		Route: r.action.Name, PathID: r.pathID, Body: r.body,
		SellerID: r.who.ID, AuthType: authSeller, AuthID: r.who.ID,
		CorrelationID: r.CorrelationID, TraceParent: r.TraceParent,
	}
	for i, item := range r.items {
		for _, at := range r.targets[i].at {
			one := item
			if at.serviceID != "" {
				one = one.WithService(at.serviceID)
			}
			call.Submissions = append(call.Submissions, peer.Submission{
				Index: i, ServiceID: at.serviceID, ShipmentID: at.shipmentID, Input: one.Input, Hash: one.Hash,
				Key: commandKey(r.who.ID, key, r.action, one),
			})
		}
	}
	return m.answer(ctx, r, call.Submissions, m.router.Submit(ctx, call))
}

// commandKey returns the key of a command under the caller's key. It contains the seller, whose keys are its own, and
// for returns and services the item, because a shipment may have several of them.
func commandKey(sellerID, key string, action marketplace.Action, c marketplace.Command) string {
	switch {
	case key == "":
		return ""
	case action.Subject == marketplace.SubjectShipment:
		return "seller/" + sellerID + "/" + key
	default:
		return "seller/" + sellerID + "/" + key + "/" + c.ID
	}
}

// answer writes the results.
func (m *commands) answer(ctx context.Context, r *request, submitted []peer.Submission, got []peer.Result) error {
	items := make([]itemOutcome, len(r.items))
	var positions positions
	var failed error
	lost, reused := 0, 0
	for j, one := range got {
		index := submitted[j].Index
		items[index].add(one)
		if one.Err != nil {
			lost++
			failed = errors.Join(failed, one.Err)
			continue
		}
		if one.Receipt.Version > 0 {
			positions.add(one.Receipt.Lane, one.Receipt.Offset)
		}
		if one.Receipt.Reason == shipment.CodeIdempotencyKeyReused {
			reused++
		}
		m.logReceipt(ctx, r, r.items[index], one.Receipt)
	}
	if lost > 0 && lost == len(got) {
		// No item has an outcome, so the call failed and not its items.
		return failed
	}
	if reused > 0 && reused == len(got) {
		p := httpx.Unprocessable.New("the Idempotency-Key was used for another body: use a new key, or repeat the first body")
		p.Code = shipment.CodeIdempotencyKeyReused
		return p
	}
	if failed != nil {
		r.Note(slog.Any("err", failed))
	}
	results := make([]marketplace.Result, len(r.items))
	for i, item := range r.items {
		code, message := r.targets[i].code, r.targets[i].message
		if code != "" {
			m.logRefused(ctx, r, item, code, message)
		} else {
			code, message = items[i].code()
		}
		results[i] = marketplace.Result{ID: itemID(item), OK: code == "", Code: code, Message: message}
	}
	return m.write(r, results, positions)
}

// itemOutcome collects the results of an item's submissions: a return may concern several shipments.
type itemOutcome struct {
	stored  bool             // The ledger accepted one.
	refused *journal.Receipt // The first refusal.
	inDoubt error            // Why one has no result and may be stored.
	missing error            // Why one has no result and is certainly not stored.
}

func (o *itemOutcome) add(r peer.Result) {
	switch {
	case errors.Is(r.Err, journal.ErrInDoubt):
		o.inDoubt = cmp.Or(o.inDoubt, r.Err)
	case r.Err != nil:
		o.missing = cmp.Or(o.missing, r.Err)
	case r.Receipt.Outcome == ledgerv1.Outcome_OUTCOME_ACCEPTED, r.Receipt.Outcome == ledgerv1.Outcome_OUTCOME_APPLIED,
		r.Receipt.Outcome == ledgerv1.Outcome_OUTCOME_DUPLICATE:
		o.stored = true
	case o.refused == nil:
		o.refused = &r.Receipt
	}
}

// code returns why the item failed; an empty code if it did not. OUTCOME_IN_DOUBT comes first, because only a repeat
// settles it.
func (o *itemOutcome) code() (shipment.Code, string) {
	switch {
	case o.inDoubt != nil:
		return codeInDoubt, problemOf(o.inDoubt).Detail
	case o.missing != nil && o.stored:
		// "Not stored" would be wrong for a part of it.
		return codeInDoubt, "a part is stored, and a part is not: " + problemOf(o.missing).Detail
	case o.refused != nil:
		return o.refused.Reason, o.refused.Message
	case o.missing != nil:
		return httpx.CodeUnavailable, problemOf(o.missing).Detail
	default:
		return "", ""
	}
}

// write counts the results and answers 200 with them.
func (m *commands) write(r *request, results []marketplace.Result, positions positions) error {
	ok := 0
	for i := range results {
		result := "rejected"
		if results[i].OK {
			result = "accepted"
			ok++
		}
		m.counted.WithLabelValues(r.action.Name, result).Inc()
	}
	r.Note(slog.Int("items", len(r.items)), slog.Int("accepted", ok))
	body, err := marketplace.RenderResults(r.action.Subject, results)
	if err != nil {
		return fmt.Errorf("answer %s: %w", r.action.Name, err)
	}
	if header := positions.String(); header != "" {
		r.Writer.Header().Set(HeaderPosition, header)
	}
	r.JSON(http.StatusOK, body)
	return nil
}

func (m *commands) logReceipt(ctx context.Context, r *request, item marketplace.Command, got journal.Receipt) {
	level, message := slog.LevelDebug, "command accepted"
	if got.Outcome == ledgerv1.Outcome_OUTCOME_REJECTED {
		level, message = slog.LevelInfo, "command rejected"
	}
	m.log.LogAttrs(ctx, level, message,
		slog.String("action", r.action.Name), slog.String("shipment_id", got.ShipmentID),
		slog.String("id", itemID(item)), slog.Uint64("version", got.Version), slog.Int("lane", int(got.Lane)),
		slog.Int64("offset", got.Offset), slog.String("reason", string(got.Reason)),
		slog.Bool("repeated", got.Repeated), slog.String("correlation_id", r.CorrelationID))
}

// logRefused writes the line of an item that reached no lane: a mandatory member is missing, an id makes no sense, or
// nothing has that id. It has no decision, so apart from the answer this line is all that is left of it.
func (m *commands) logRefused(
	ctx context.Context, r *request, item marketplace.Command, code shipment.Code, message string,
) {
	m.log.LogAttrs(ctx, slog.LevelInfo, "command refused",
		slog.String("action", r.action.Name), slog.String("seller_id", r.who.ID),
		slog.String("shipment_id", item.ShipmentID), slog.String("id", itemID(item)),
		slog.String("reason", string(code)), slog.String("detail", message),
		slog.String("correlation_id", r.CorrelationID))
}

// noteRefusal adds to a request's line why, and for what place in the body, the whole request was refused. The details
// of these problems name members and types, never values of the body.
func noteRefusal(c *httpx.Call, err error) {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError {
		return // Its cause is in the line already.
	}
	c.Note(slog.String("detail", p.Detail))
	if p.Path != "" {
		c.Note(slog.String("path", p.Path))
	}
	if p.Offset > 0 {
		c.Note(slog.Int("body_offset", p.Offset))
	}
}

// itemID returns how the answer names an item.
func itemID(c marketplace.Command) string {
	if c.ID != "" {
		return c.ID
	}
	return c.ShipmentID
}
