package ingest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// page is a place in the results of a search: the search and the last result before it. Pages are found by the last
// result's sort value and id, not by counting, so nothing is left out or repeated when shipments come and go between
// them.
type page struct {
	Filter marketplace.Filter `json:"filter"`
	// After is the sort value of the last result in milliseconds, AfterID its id; empty on the first page.
	After   int64  `json:"after,omitempty"`
	AfterID string `json:"after_id,omitempty"`
	// SellerID binds the token to who got it.
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
	bad := newProblem(problemUnprocessable, "next_token: not one that this API gave")
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(text, &p) != nil || p.SellerID != sellerID {
		return p, bad
	}
	if p.Filter.PageSize < 1 || p.Filter.PageSize > marketplace.MaxPageSize || len(p.Filter.States) == 0 || sortColumn(p.Filter.Sort) == "" {
		return p, bad
	}
	return p, nil
}

type searchResult struct {
	HasMore     bool                   `json:"hasMore"`
	NextPageURL *string                `json:"nextPageUrl"`
	Shipments   []marketplace.Shipment `json:"shipments"`
}

// search handles POST /v3/shipments/filter: the first page.
func (g *Ingest) search(ctx context.Context, c *call) error {
	body, err := c.body(g.cfg.MaxBodyBytes)
	if err != nil {
		return err
	}
	filter, err := marketplace.ReadFilter(body, g.cfg.Marketplace)
	if err != nil {
		return err
	}
	if filter.SellerID != "" && filter.SellerID != c.seller.ID {
		return c.respond(searchResult{Shipments: []marketplace.Shipment{}})
	}
	return g.page(ctx, c, page{Filter: filter, SellerID: c.seller.ID})
}

// next handles GET /v3/shipments/filter?next_token=: the pages after the first.
func (g *Ingest) next(ctx context.Context, c *call) error {
	p, err := readToken(c.r.URL.Query().Get("next_token"), c.seller.ID)
	if err != nil {
		return err
	}
	return g.page(ctx, c, p)
}

func (g *Ingest) page(ctx context.Context, c *call, p page) error {
	var found []*ledgerv1.Shipment
	for len(found) <= p.Filter.PageSize {
		want := p.Filter.PageSize + 1 - len(found)
		condition, args := p.condition()
		batch, err := g.states.query(ctx, condition+" LIMIT "+itoa(max(want, 20)), args...)
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
		if len(batch) < max(want, 20) {
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
		// Relative to /sellers, as the marketplace's own.
		url := "/v3/shipments/filter?next_token=" + token
		out.HasMore, out.NextPageURL = true, &url
	}
	out.Shipments = render(found)
	c.note(slog.Int("found", len(found)), slog.Bool("more", out.HasMore))
	return c.respond(out)
}

// sortColumn is the expression that a search is ordered by, in milliseconds; a time that is not known sorts as the end
// of time, so that it can be compared.
func sortColumn(field marketplace.SortField) string {
	known := func(column string) string {
		return "ifNull(toUnixTimestamp64Milli(" + column + "), " + itoa(unknownTime) + ")"
	}
	switch field {
	case marketplace.SortDispatchBy:
		return known("dispatch_by")
	case marketplace.SortDispatchAfter:
		return known("dispatch_after")
	case marketplace.SortModified:
		return known("updated_at")
	case marketplace.SortOrderDate:
		// Orders are told when they are created; the items' own date is looked at in matches.
		return known("created_at")
	default:
		return ""
	}
}

// unknownTime sorts behind every time that makes sense.
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

// condition is the part of the search that the tables can answer, with its order.
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
		// The state lives on the item: a shipment that lost one of its items is among the cancelled ones too.
		and("shipment_id IN (SELECT shipment_id FROM order_items WHERE seller_id = ? AND status IN (?))", p.SellerID, statuses)
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
	return strings.Join(where, " AND ") + " ORDER BY " + column + " " + direction + ", shipment_id " + direction, args
}

// matches looks at what has no column of its own.
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
		return at != nil && within(f.OrderDate, at.AsTime())
	}) {
		return false
	}
	if f.Cancelled.IsZero() && f.CancelledBy == ledgerv1.CancelledBy_CANCELLED_BY_UNSPECIFIED {
		return true
	}
	return slices.ContainsFunc(s.GetItems(), func(i *ledgerv1.Item) bool {
		return slices.ContainsFunc(i.GetCancellations(), func(c *ledgerv1.Cancellation) bool {
			by := f.CancelledBy == ledgerv1.CancelledBy_CANCELLED_BY_UNSPECIFIED || c.GetBy() == f.CancelledBy
			return by && within(f.Cancelled, c.GetAt().GetAt().AsTime())
		})
	})
}

func within(r marketplace.Range, t time.Time) bool {
	return (r.From.IsZero() || !t.Before(r.From)) && (r.To.IsZero() || !t.After(r.To))
}
