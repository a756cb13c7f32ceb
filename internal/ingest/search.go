package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// page is a place in the results of a search: the search and the last result before it. A page starts behind that
// result's sort value and id and not at a count, so shipments that appear or disappear between two pages make it
// neither skip nor repeat others.
type page struct {
	Filter marketplace.Filter `json:"filter"`
	// After is the sort value of the last result in milliseconds, AfterID its id; empty on the first page.
	After   int64  `json:"after,omitempty"`
	AfterID string `json:"after_id,omitempty"`
	// SellerID is the seller who searches; the token is bound to it and does not hold it.
	SellerID string `json:"-"`
}

type searchResult struct {
	HasMore     bool                   `json:"hasMore"`
	NextPageURL *string                `json:"nextPageUrl"`
	Shipments   []marketplace.Shipment `json:"shipments"`
}

// search handles POST /v3/shipments/filter: the first page. It reads the body before the time for its queries begins: a
// slow client is not a slow read model.
func (r *reads) search(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
	body, err := c.Body(r.maxBody)
	if err != nil {
		return err
	}
	filter, err := marketplace.ReadFilter(body, r.settings)
	if err != nil {
		return err
	}
	if filter.SellerID != "" && filter.SellerID != who.ID {
		return c.Respond(searchResult{Shipments: []marketplace.Shipment{}})
	}
	return r.fresh(func(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
		return r.page(ctx, c, page{Filter: filter, SellerID: who.ID})
	})(ctx, c, who)
}

// next handles GET /v3/shipments/filter?next_token=: the pages after the first.
func (r *reads) next(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
	var p page
	if !r.tokens.open(shipmentsSearch, who.ID, c.Request.URL.Query().Get("next_token"), &p) {
		return httpx.Unprocessable.New("next_token is missing, is none of this seller, or its key is gone: " +
			"follow nextPageUrl of the page before; POST /sellers/v3/shipments/filter begins a search")
	}
	p.SellerID = who.ID
	return r.page(ctx, c, p)
}

// page answers with the shipments behind a place: one query finds them in the order of the search, a second one reads
// their states. So the place of the next page is that of the row which the search compared, whatever has happened to
// the shipment since.
func (r *reads) page(ctx context.Context, c *httpx.Call, p page) error {
	if _, err := r.tokens.seal(shipmentsSearch, p.SellerID, p); err != nil {
		return err // On the first page already, and not on one of many.
	}
	rows, err := r.states.search(ctx, p)
	if err != nil {
		return err
	}
	out := searchResult{Shipments: []marketplace.Shipment{}}
	if len(rows) > p.Filter.PageSize {
		rows = rows[:p.Filter.PageSize]
		last := rows[len(rows)-1]
		p.After, p.AfterID = last.sortValue, last.shipmentID
		token, err := r.tokens.seal(shipmentsSearch, p.SellerID, p)
		if err != nil {
			return err
		}
		// Relative to /sellers, as in the marketplace's own answers.
		url := "/v3/shipments/filter?next_token=" + token
		out.HasMore, out.NextPageURL = true, &url
	}
	if len(rows) > 0 {
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = row.shipmentID
		}
		found, err := r.states.byShipment(ctx, p.SellerID, ids)
		if err != nil {
			return err
		}
		out.Shipments = render(found)
	}
	c.Note(slog.Int("found", len(out.Shipments)), slog.Bool("more", out.HasMore))
	return c.Respond(out)
}

// searchRow is a result of a search and its place in it.
type searchRow struct {
	shipmentID string
	sortValue  int64
}

// search returns the results of a page, and one more if there are more.
func (s states) search(ctx context.Context, p page) ([]searchRow, error) {
	condition, args := p.condition()
	rows, err := s.conn.Query(ctx, "SELECT shipment_id, "+sortColumn(p.Filter.Sort)+" FROM shipments_state FINAL WHERE "+
		condition+" LIMIT "+strconv.Itoa(p.Filter.PageSize+1), args...)
	if err != nil {
		return nil, fmt.Errorf("search shipments: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err reports it.
	var out []searchRow
	for rows.Next() {
		var row searchRow
		if err := rows.Scan(&row.shipmentID, &row.sortValue); err != nil {
			return nil, fmt.Errorf("search shipments: %w", err)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("search shipments: %w", err)
	}
	return out, nil
}

// sortColumn returns the expression that a search is ordered by, in milliseconds. An unknown time sorts behind all
// others: NULL could not be compared with the last result of a page.
func sortColumn(field marketplace.SortField) string {
	known := func(column string) string {
		return "ifNull(toUnixTimestamp64Milli(" + column + "), " + strconv.FormatInt(unknownTime, 10) + ")"
	}
	switch field {
	case marketplace.SortDispatchBy:
		return known("dispatch_by")
	case marketplace.SortDispatchAfter:
		return known("dispatch_after")
	case marketplace.SortModified:
		return known("updated_at")
	case marketplace.SortOrderDate:
		return known("ordered_at")
	default:
		return ""
	}
}

// unknownTime sorts behind every real time.
const unknownTime = 1 << 52

// condition returns the search as a condition on shipments_state, with its order.
func (p page) condition() (string, []any) {
	f := p.Filter
	where, args := []string{"seller_id = ?"}, []any{p.SellerID}
	and := func(given bool, condition string, values ...any) {
		if given {
			where = append(where, condition)
			args = append(args, values...)
		}
	}
	between := func(column string, r marketplace.Range) {
		and(!r.From.IsZero(), column+" >= fromUnixTimestamp64Milli(?)", r.From.UnixMilli())
		and(!r.To.IsZero(), column+" <= fromUnixTimestamp64Milli(?)", r.To.UnixMilli())
	}
	if f.Type == marketplace.FilterCancelled {
		// Items are cancelled, not shipments: one that lost one of its items is among the cancelled ones too.
		condition, values := p.cancelled()
		and(true, "shipment_id IN (SELECT shipment_id FROM order_items WHERE "+condition+")", values...)
	} else {
		and(true, "status IN (?)", statusNames(f.States))
	}
	and(f.LocationID != "", "location_id = ?", f.LocationID)
	if f.Hold != nil {
		and(true, "on_hold = ?", *f.Hold)
	}
	if f.MPS != nil {
		and(true, "mps = ?", *f.MPS)
	}
	and(len(f.ShipmentTypes) > 0, "shipment_type IN (?)", f.ShipmentTypes)
	and(len(f.Tiers) > 0, "dispatch_tier IN (?)", f.Tiers)
	and(len(f.ServiceProfiles) > 0, "service_profile IN (?)", f.ServiceProfiles)
	and(len(f.SKUs) > 0,
		"shipment_id IN (SELECT shipment_id FROM order_items WHERE seller_id = ? AND sku IN (?))", p.SellerID, f.SKUs)
	between("dispatch_by", f.DispatchBy)
	between("dispatch_after", f.DispatchAfter)
	between("updated_at", f.Modified)
	between("ordered_at", f.OrderDate)
	direction, beyond := "ASC", ">"
	if f.Descending {
		direction, beyond = "DESC", "<"
	}
	column := sortColumn(f.Sort)
	and(p.AfterID != "", "("+column+", shipment_id) "+beyond+" (?, ?)", p.After, p.AfterID)
	order := " ORDER BY " + column + " " + direction + ", shipment_id " + direction
	return strings.Join(where, " AND ") + order, args
}

// cancelled returns the condition on the items of a search for cancelled ones: an item in one of the states, with a
// cancellation by that actor in that time.
func (p page) cancelled() (string, []any) {
	f := p.Filter
	where, args := "seller_id = ? AND status IN (?)", []any{p.SellerID, statusNames(f.States)}
	var each []string
	if by := cancellers[f.CancelledBy]; by != "" {
		each = append(each, "by = ?")
		args = append(args, by)
	}
	if from := f.Cancelled.From; !from.IsZero() {
		each = append(each, "at >= fromUnixTimestamp64Milli(?)")
		args = append(args, from.UnixMilli())
	}
	if to := f.Cancelled.To; !to.IsZero() {
		each = append(each, "at <= fromUnixTimestamp64Milli(?)")
		args = append(args, to.UnixMilli())
	}
	if len(each) > 0 {
		where += " AND arrayExists((by, at) -> " + strings.Join(each, " AND ") + ", cancelled_by, cancellation_times)"
	}
	return where, args
}

// cancellers are the words of order_items.cancelled_by.
//
//nolint:gochecknoglobals // A table.
var cancellers = map[ledgerv1.CancelledBy]string{
	ledgerv1.CancelledBy_CANCELLED_BY_SELLER: "seller", ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER: "customer",
	ledgerv1.CancelledBy_CANCELLED_BY_MARKETPLACE: "marketplace",
}

func statusNames(states []ledgerv1.Status) []string {
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = marketplace.StatusName(s)
	}
	return names
}
