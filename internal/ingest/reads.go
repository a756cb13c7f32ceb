package ingest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/documents"
	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// reads answers the calls of sellers that change nothing.
type reads struct {
	states    states
	documents *documents.Documents
	watcher   *watcher
	settings  marketplace.Settings
	maxBody   int64
	timeout   time.Duration // Of the queries of one read.
}

// fresh runs a handler once the read model holds the position that the caller asks for. The handler must not read the
// body: its time is for queries.
func (r *reads) fresh(h sellerHandler) sellerHandler {
	return func(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
		if r.states.conn == nil {
			return noReadModel()
		}
		if err := r.watcher.await(ctx, c); err != nil {
			return err
		}
		return within(ctx, r.timeout, func(ctx context.Context) error { return h(ctx, c, who) })
	}
}

// within runs queries of the read model inside a limit of time. Beyond the limit the client library cancels the query
// in ClickHouse too: nobody waits for it any more, and a few slow searches would slow all others down.
func within(ctx context.Context, limit time.Duration, queries func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := queries(ctx)
	if problem := (*httpx.Problem)(nil); err == nil || errors.As(err, &problem) {
		return err
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return httpx.Unavailable.New("the read model did not answer within " + limit.String()).Because(err).After(retrySoon)
	case clickhouse.Unavailable(err):
		return httpx.Unavailable.New("the read model is away").Because(err).After(retrySoon)
	}
	return err
}

type shipmentList struct {
	Shipments []marketplace.Shipment `json:"shipments"`
}

func render(found []*ledgerv1.Shipment) []marketplace.Shipment {
	out := make([]marketplace.Shipment, len(found))
	for i, one := range found {
		out[i] = marketplace.RenderShipment(one)
	}
	return out
}

// find handles GET /v3/shipments?shipmentIds= | orderItemIds= | orderIds=: exactly one of them. It leaves out unknown
// ids.
func (r *reads) find(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
	query := c.Request.URL.Query()
	var name string
	for _, one := range []string{"shipmentIds", "orderItemIds", "orderIds"} {
		if !query.Has(one) {
			continue
		}
		if name != "" {
			return httpx.Unprocessable.New("shipmentIds, orderItemIds and orderIds exclude one another")
		}
		name = one
	}
	if name == "" {
		return httpx.Unprocessable.New("shipmentIds, orderItemIds or orderIds is needed")
	}
	list, err := idsInQuery(c.Request, name, marketplace.MaxShipmentIDs)
	if err != nil {
		return err
	}
	by := map[string]func(context.Context, string, []string) ([]*ledgerv1.Shipment, error){
		"shipmentIds": r.states.byShipment, "orderItemIds": r.states.byItem, "orderIds": r.states.byOrder,
	}[name]
	found, err := by(ctx, who.ID, list.all())
	if err != nil {
		return err
	}
	c.Note(slog.Int("asked", len(list.ids)), slog.Int("found", len(found)))
	return c.Respond(shipmentList{render(found)})
}

// inPath returns the shipments that the path names, as far as they exist.
func (r *reads) inPath(
	ctx context.Context, c *httpx.Call, who *sellers.Seller, most int,
) (ids []string, found []*ledgerv1.Shipment, err error) {
	list, err := idsInPath(c.Request, most)
	if err != nil {
		return nil, nil, err
	}
	if found, err = r.states.byShipment(ctx, who.ID, list.all()); err != nil {
		return nil, nil, err
	}
	ids = list.named(found)
	c.Note(slog.Int("asked", len(ids)), slog.Int("found", len(found)))
	return ids, found, nil
}

// details handles GET /v3/shipments/{ids}.
func (r *reads) details(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
	_, found, err := r.inPath(ctx, c, who, marketplace.MaxShipmentIDs)
	if err != nil {
		return err
	}
	out := make([]marketplace.Details, len(found))
	for i, one := range found {
		out[i] = marketplace.RenderDetails(one, who.Location(one.GetLocationId()))
	}
	return c.Respond(map[string]any{"shipments": out})
}

// forms handles GET and POST /v3/shipments/{ids}/forms: the marketplace's pages disagree on the method.
func (r *reads) forms(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
	_, found, err := r.inPath(ctx, c, who, marketplace.MaxShipmentIDs)
	if err != nil {
		return err
	}
	out := make([]marketplace.ShipmentForms, len(found))
	for i, one := range found {
		out[i] = marketplace.RenderForms(one)
	}
	return c.Respond(map[string]any{"shipments": out})
}
