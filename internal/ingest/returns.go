package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/shipment"
)

// returnsPage is a place in a search for returns: the conditions, and the last line before it. Lines are ordered by
// their ids, which never change: whatever happens to them between two pages, none is skipped and none comes twice.
type returnsPage struct {
	Source      string   `json:"source,omitempty"`
	LocationID  string   `json:"location,omitempty"`
	ReturnIDs   []string `json:"returns,omitempty"`
	TrackingIDs []string `json:"tracking,omitempty"`
	// Modified compares milliseconds; a zero end is open.
	ModifiedAfter  int64 `json:"modified_after,omitempty"`
	ModifiedBefore int64 `json:"modified_before,omitempty"`
	// ApprovedFrom and ApprovedTo are days in IST, both included; empty is open.
	ApprovedFrom string `json:"approved_from,omitempty"`
	ApprovedTo   string `json:"approved_to,omitempty"`
	AfterReturn  string `json:"after,omitempty"`
	AfterItem    string `json:"after_item,omitempty"`
}

// returnsPageSize is the marketplace's.
const returnsPageSize = 25

type returnsResult struct {
	HasMore     bool                     `json:"hasMore"`
	NextURL     *string                  `json:"nextUrl"`
	ReturnItems []marketplace.ReturnItem `json:"returnItems"`
}

// returns handles GET /v2/returns: the first page of a search.
func (r *reads) returns(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
	p, err := readReturnsQuery(c.Request)
	if err != nil {
		return err
	}
	return r.returnsPage(ctx, c, who, p)
}

// nextReturns handles GET /v2/returns/search/{token}: the pages after the first.
func (r *reads) nextReturns(ctx context.Context, c *httpx.Call, who *sellers.Seller) error {
	var p returnsPage
	if !r.tokens.open(returnsSearch, who.ID, c.Request.PathValue("token"), &p) {
		return httpx.Unprocessable.New("the token of the path is none of this seller, or its key is gone: " +
			"follow nextUrl of the page before; GET /sellers/v2/returns begins a search")
	}
	return r.returnsPage(ctx, c, who, p)
}

// readReturnsQuery reads the conditions of a search. All of them must hold.
func readReturnsQuery(request *http.Request) (p returnsPage, err error) {
	query := request.URL.Query()
	p = returnsPage{Source: query.Get("source"), LocationID: query.Get("locationId")}
	for name, to := range map[string]*[]string{"returnIds": &p.ReturnIDs, "trackingIds": &p.TrackingIDs} {
		if query.Get(name) == "" {
			continue
		}
		list, err := idsInQuery(request, name, marketplace.MaxReturnIDs)
		if err != nil {
			return p, err
		}
		*to = list.all()
	}
	switch p.Source {
	case "customer_return", "courier_return":
	case "":
		if len(p.ReturnIDs) == 0 && len(p.TrackingIDs) == 0 {
			return p, httpx.Unprocessable.New(
				"source is needed (customer_return or courier_return), unless returnIds or trackingIds are given")
		}
	default:
		return p, httpx.Unprocessable.New("source must be customer_return or courier_return")
	}
	read := func(name string, use func(shipment.When)) {
		text := query.Get(name)
		if text == "" || err != nil {
			return
		}
		when, problem := marketplace.ParseQueryTime(text)
		if problem != "" {
			refused := httpx.Unprocessable.New(name + ": " + problem)
			refused.Code, err = shipment.CodeInvalidDate, refused
			return
		}
		use(when)
	}
	read("modifiedAfter", func(w shipment.When) { p.ModifiedAfter = w.Time.UnixMilli() })
	read("modifiedBefore", func(w shipment.When) { p.ModifiedBefore = marketplace.EndOfDay(w).UnixMilli() })
	read("createdAfter", func(w shipment.When) { p.ApprovedFrom = dayOf(w) })
	read("createdBefore", func(w shipment.When) { p.ApprovedTo = dayOf(w) })
	if err != nil {
		return p, err
	}
	if p.ModifiedBefore != 0 && p.ModifiedBefore < p.ModifiedAfter || p.ApprovedTo != "" && p.ApprovedTo < p.ApprovedFrom {
		refused := httpx.Unprocessable.New("a range ends before it begins: no return could be found")
		refused.Code = shipment.CodeInvalidDate
		return p, refused
	}
	return p, nil
}

func dayOf(w shipment.When) string { return w.Time.In(marketplace.IST).Format(time.DateOnly) }

// condition returns the search as a condition on returns_state, with its order.
func (p returnsPage) condition(sellerID string) (string, []any) {
	where, args := []string{"seller_id = ?"}, []any{sellerID}
	and := func(given bool, condition string, values ...any) {
		if given {
			where = append(where, condition)
			args = append(args, values...)
		}
	}
	and(p.Source != "", "source = ?", p.Source)
	and(p.LocationID != "", "location_id = ?", p.LocationID)
	and(len(p.ReturnIDs) > 0, "return_id IN (?)", p.ReturnIDs)
	and(len(p.TrackingIDs) > 0, "tracking_id IN (?)", p.TrackingIDs)
	and(p.ModifiedAfter != 0, "updated_at >= fromUnixTimestamp64Milli(?)", p.ModifiedAfter)
	and(p.ModifiedBefore != 0, "updated_at <= fromUnixTimestamp64Milli(?)", p.ModifiedBefore)
	// Days in IST, as the marketplace compares them. Where nobody approves, the creation counts; a time that was only
	// inferred is better than none.
	const approved = "toDate32(coalesce(approved_at, approved_at_latest, created_at, created_at_latest), 'Asia/Kolkata')"
	and(p.ApprovedFrom != "", approved+" >= toDate32(?)", p.ApprovedFrom)
	and(p.ApprovedTo != "", approved+" <= toDate32(?)", p.ApprovedTo)
	and(p.AfterReturn != "", "(return_id, order_item_id) > (?, ?)", p.AfterReturn, p.AfterItem)
	return strings.Join(where, " AND ") + " ORDER BY return_id, order_item_id", args
}

// returnsPage answers with the lines behind a place: one query finds them, a second one reads the states of their
// shipments, which have what the answer shows.
func (r *reads) returnsPage(ctx context.Context, c *httpx.Call, who *sellers.Seller, p returnsPage) error {
	if _, err := r.tokens.seal(returnsSearch, who.ID, p); err != nil {
		return err // On the first page already, and not on one of many.
	}
	lines, err := r.states.returnLines(ctx, who.ID, p)
	if err != nil {
		return err
	}
	out := returnsResult{ReturnItems: []marketplace.ReturnItem{}}
	if len(lines) > returnsPageSize {
		lines = lines[:returnsPageSize]
		last := lines[len(lines)-1]
		p.AfterReturn, p.AfterItem = last.returnID, last.orderItemID
		token, err := r.tokens.seal(returnsSearch, who.ID, p)
		if err != nil {
			return err
		}
		url := "/returns/search/" + token // Relative to /sellers/v2, as in the marketplace's own answers.
		out.HasMore, out.NextURL = true, &url
	}
	if out.ReturnItems, err = r.renderReturns(ctx, who.ID, lines); err != nil {
		return err
	}
	c.Note(slog.Int("found", len(out.ReturnItems)), slog.Bool("more", out.HasMore))
	return c.Respond(out)
}

func (r *reads) renderReturns(
	ctx context.Context, sellerID string, lines []returnLine,
) ([]marketplace.ReturnItem, error) {
	out := make([]marketplace.ReturnItem, 0, len(lines))
	ids := make([]string, len(lines))
	for i, line := range lines {
		ids[i] = line.shipmentID
	}
	if len(ids) == 0 {
		return out, nil
	}
	found, err := r.states.byShipment(ctx, sellerID, ids)
	if err != nil {
		return nil, err
	}
	rendered := map[returnLine]marketplace.ReturnItem{}
	for _, s := range found {
		for _, line := range s.GetReturns() {
			at := returnLine{line.GetReturnId(), line.GetOrderItemId(), s.GetShipmentId()}
			rendered[at] = marketplace.RenderReturn(s, line)
		}
	}
	for _, line := range lines {
		// A shipment may have been deleted between the two queries.
		if item, ok := rendered[line]; ok {
			out = append(out, item)
		}
	}
	return out, nil
}

// returnLine names a line of a return.
type returnLine struct{ returnID, orderItemID, shipmentID string }

// returnLines returns the lines of a page, and one more if there are more.
func (s states) returnLines(ctx context.Context, sellerID string, p returnsPage) ([]returnLine, error) {
	condition, args := p.condition(sellerID)
	rows, err := s.conn.Query(ctx, "SELECT return_id, order_item_id, shipment_id FROM returns_state FINAL WHERE "+
		condition+" LIMIT "+strconv.Itoa(returnsPageSize+1), args...)
	if err != nil {
		return nil, fmt.Errorf("search returns: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err reports it.
	var out []returnLine
	for rows.Next() {
		var line returnLine
		if err := rows.Scan(&line.returnID, &line.orderItemID, &line.shipmentID); err != nil {
			return nil, fmt.Errorf("search returns: %w", err)
		}
		out = append(out, line)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("search returns: %w", err)
	}
	return out, nil
}
