package ingest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

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
	// SellerID binds the token to the seller who got it.
	SellerID string `json:"seller"`
}

func (p page) token() (string, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

func readToken(token, sellerID string) (page, error) {
	var p page
	bad := httpx.Unprocessable.New("next_token is missing or is none of this seller: " +
		"follow nextPageUrl of the page before; " +
		"POST /sellers/v3/shipments/filter begins a search")
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(text, &p) != nil || p.SellerID != sellerID {
		return p, bad
	}
	f := p.Filter
	if f.PageSize < 1 || f.PageSize > marketplace.MaxPageSize || len(f.States) == 0 || sortColumn(f.Sort) == "" {
		return p, bad
	}
	return p, nil
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
	p, err := readToken(c.Request.URL.Query().Get("next_token"), who.ID)
	if err != nil {
		return err
	}
	return r.page(ctx, c, p)
}

// minBatch is the fewest states that one query reads. Some conditions have no column, so a query may return shipments
// that do not match; smaller batches would need many queries for one page.
const minBatch = 20

func (r *reads) page(ctx context.Context, c *httpx.Call, p page) error {
	var found []*ledgerv1.Shipment
	for len(found) <= p.Filter.PageSize {
		limit := max(p.Filter.PageSize+1-len(found), minBatch)
		condition, args := p.condition()
		batch, err := r.states.query(ctx, condition+" LIMIT "+strconv.Itoa(limit), args...)
		if err != nil {
			return err
		}
		for _, one := range batch {
			p.After, p.AfterID = sortValue(p.Filter.Sort, one), one.GetShipmentId()
			if matches(p.Filter, one) {
				found = append(found, one)
			}
			if len(found) > p.Filter.PageSize {
				break
			}
		}
		if len(batch) < limit {
			break
		}
	}
	out := searchResult{}
	if len(found) > p.Filter.PageSize {
		found = found[:p.Filter.PageSize]
		last := found[len(found)-1]
		p.After, p.AfterID = sortValue(p.Filter.Sort, last), last.GetShipmentId()
		token, err := p.token()
		if err != nil {
			return err
		}
		// Relative to /sellers, as in the marketplace's own answers.
		url := "/v3/shipments/filter?next_token=" + token
		out.HasMore, out.NextPageURL = true, &url
	}
	out.Shipments = render(found)
	c.Note(slog.Int("found", len(found)), slog.Bool("more", out.HasMore))
	return c.Respond(out)
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
		// A shipment is reported when its order is placed; matches compares the items' own dates.
		return known("created_at")
	default:
		return ""
	}
}

// unknownTime sorts behind every real time.
const unknownTime = 1 << 52

func sortValue(field marketplace.SortField, s *ledgerv1.Shipment) int64 {
	at := map[marketplace.SortField]interface{ AsTime() time.Time }{
		marketplace.SortDispatchBy: s.GetDispatchBy(), marketplace.SortDispatchAfter: s.GetDispatchAfter(),
		marketplace.SortModified: s.GetUpdatedAt(), marketplace.SortOrderDate: s.GetTimes().GetCreated().GetAt(),
	}[field]
	if t := at.AsTime(); t.UnixMilli() != 0 {
		return t.UnixMilli()
	}
	return unknownTime
}

// condition returns the part of the search that the tables can answer, with its order.
func (p page) condition() (string, []any) {
	f := p.Filter
	where := []string{"seller_id = ?"}
	args := []any{p.SellerID}
	and := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	statuses := make([]string, len(f.States))
	for i, s := range f.States {
		statuses[i] = marketplace.StatusName(s)
	}
	if f.Type == marketplace.FilterCancelled {
		// Items are cancelled, not shipments: one that lost one of its items is among the cancelled ones too.
		and("shipment_id IN (SELECT shipment_id FROM order_items WHERE seller_id = ? AND status IN (?))",
			p.SellerID, statuses)
	} else {
		and("status IN (?)", statuses)
	}
	if f.LocationID != "" {
		and("location_id = ?", f.LocationID)
	}
	if f.Hold != nil {
		and("on_hold = ?", *f.Hold)
	}
	if len(f.SKUs) > 0 {
		and("shipment_id IN (SELECT shipment_id FROM order_items WHERE seller_id = ? AND sku IN (?))", p.SellerID, f.SKUs)
	}
	between := func(column string, r marketplace.Range) {
		if !r.From.IsZero() {
			and(column+" >= fromUnixTimestamp64Milli(?)", r.From.UnixMilli())
		}
		if !r.To.IsZero() {
			and(column+" <= fromUnixTimestamp64Milli(?)", r.To.UnixMilli())
		}
	}
	between("dispatch_by", f.DispatchBy)
	between("dispatch_after", f.DispatchAfter)
	between("updated_at", f.Modified)
	direction, beyond := "ASC", ">"
	if f.Descending {
		direction, beyond = "DESC", "<"
	}
	column := sortColumn(f.Sort)
	if p.AfterID != "" {
		and("("+column+", shipment_id) "+beyond+" (?, ?)", p.After, p.AfterID)
	}
	order := " ORDER BY " + column + " " + direction + ", shipment_id " + direction
	return strings.Join(where, " AND ") + order, args
}

// matches checks the conditions that have no column of their own.
func matches(f marketplace.Filter, s *ledgerv1.Shipment) bool {
	d := s.GetDetails()
	kind := marketplace.RenderShipment(s).ShipmentType
	switch {
	case f.MPS != nil && d.GetMps() != *f.MPS,
		len(f.ShipmentTypes) > 0 && !slices.Contains(f.ShipmentTypes, kind),
		len(f.Tiers) > 0 && d.GetDispatchServiceTier() != "" && !slices.Contains(f.Tiers, d.GetDispatchServiceTier()):
		return false
	}
	if !f.OrderDate.IsZero() && !slices.ContainsFunc(s.GetItems(), func(i *ledgerv1.Item) bool {
		at := i.GetDetails().GetOrderDate()
		return at != nil && f.OrderDate.Contains(at.AsTime())
	}) {
		return false
	}
	if f.Cancelled.IsZero() && f.CancelledBy == ledgerv1.CancelledBy_CANCELLED_BY_UNSPECIFIED {
		return true
	}
	return slices.ContainsFunc(s.GetItems(), func(i *ledgerv1.Item) bool {
		return slices.ContainsFunc(i.GetCancellations(), func(c *ledgerv1.Cancellation) bool {
			by := f.CancelledBy == ledgerv1.CancelledBy_CANCELLED_BY_UNSPECIFIED || c.GetBy() == f.CancelledBy
			return by && f.Cancelled.Contains(c.GetAt().GetAt().AsTime())
		})
	})
}
