package ingest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// states reads the read model; conn is nil if this instance has none. Every query names the seller, so another seller's
// ids are not found.
type states struct{ conn driver.Conn }

// query returns the states that a condition on shipments_state selects. The condition must be this package's own text;
// callers' values go into args.
func (s states) query(ctx context.Context, condition string, args ...any) ([]*ledgerv1.Shipment, error) {
	rows, err := s.conn.Query(ctx, "SELECT state FROM shipments_state FINAL WHERE "+condition, args...)
	if err != nil {
		return nil, fmt.Errorf("read shipments: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err reports it.
	var out []*ledgerv1.Shipment
	for rows.Next() {
		var state string
		if err := rows.Scan(&state); err != nil {
			return nil, fmt.Errorf("read shipments: %w", err)
		}
		one := new(ledgerv1.Shipment)
		if err := one.UnmarshalVT([]byte(state)); err != nil {
			return nil, fmt.Errorf("state of a shipment: %w", err)
		}
		out = append(out, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read shipments: %w", err)
	}
	return out, nil
}

// byShipment returns the shipments that exist, in the order of the ids.
func (s states) byShipment(ctx context.Context, sellerID string, ids []string) ([]*ledgerv1.Shipment, error) {
	found, err := s.query(ctx, "seller_id = ? AND shipment_id IN (?)", sellerID, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*ledgerv1.Shipment, len(found))
	for _, one := range found {
		byID[one.GetShipmentId()] = one
	}
	out := found[:0]
	for _, id := range ids {
		if one := byID[id]; one != nil {
			out = append(out, one)
		}
	}
	return out, nil
}

func (s states) byOrder(ctx context.Context, sellerID string, ids []string) ([]*ledgerv1.Shipment, error) {
	return s.query(ctx, "seller_id = ? AND order_id IN (?) ORDER BY order_id, shipment_id", sellerID, ids)
}

// byItem names the seller twice. The outer condition decides who sees what; the inner one is for speed, because
// order_items is sorted by seller: without it, the query would look for the ids among the items of all sellers.
func (s states) byItem(ctx context.Context, sellerID string, ids []string) ([]*ledgerv1.Shipment, error) {
	return s.query(ctx, "seller_id = ? AND shipment_id IN "+
		"(SELECT shipment_id FROM order_items WHERE seller_id = ? AND order_item_id IN (?)) ORDER BY shipment_id",
		sellerID, sellerID, ids)
}

// located is where a return or a service is.
type located struct {
	shipmentIDs []string
	// count is the number of shipments that a return has; those that have not recorded it yet are not among the ids.
	count int
	// updated is when one of them last changed.
	updated time.Time
}

// complete reports whether all shipments are known.
func (l located) complete() bool { return len(l.shipmentIDs) >= l.count }

// shipmentsOf returns the shipments of each of a seller's returns or services.
func (s states) shipmentsOf(
	ctx context.Context, sellerID string, subject marketplace.Subject, ids []string,
) (map[string]located, error) {
	switch {
	case len(ids) == 0:
		return nil, nil
	case s.conn == nil:
		return nil, noReadModel()
	case subject == marketplace.SubjectService:
		return s.ofServices(ctx, sellerID, ids)
	}
	// The inner seller_id is for speed, as in byItem.
	found, err := s.query(ctx, "seller_id = ? AND shipment_id IN "+
		"(SELECT shipment_id FROM returns WHERE seller_id = ? AND return_id IN (?))", sellerID, sellerID, ids)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", subject.ListMember(), err)
	}
	out := map[string]located{}
	for _, shipment := range found {
		for _, line := range shipment.GetReturns() {
			at := out[line.GetReturnId()]
			if !slices.Contains(at.shipmentIDs, shipment.GetShipmentId()) {
				at.shipmentIDs = append(at.shipmentIDs, shipment.GetShipmentId())
			}
			at.count = max(at.count, int(line.GetSiblingCount()))
			if updated := shipment.GetUpdatedAt().AsTime(); updated.After(at.updated) {
				at.updated = updated
			}
			out[line.GetReturnId()] = at
		}
	}
	return out, nil
}

func (s states) ofServices(ctx context.Context, sellerID string, ids []string) (map[string]located, error) {
	// The table of services has no seller; that of their shipments has.
	rows, err := s.conn.Query(ctx, "SELECT DISTINCT service_id, shipment_id FROM services WHERE service_id IN (?) AND "+
		"shipment_id IN (SELECT shipment_id FROM shipments WHERE seller_id = ?)", ids, sellerID)
	if err != nil {
		return nil, fmt.Errorf("look up services: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err reports it.
	out := map[string]located{}
	for rows.Next() {
		var id, shipmentID string
		if err := rows.Scan(&id, &shipmentID); err != nil {
			return nil, fmt.Errorf("look up services: %w", err)
		}
		at := out[id]
		at.shipmentIDs = append(at.shipmentIDs, shipmentID)
		out[id] = at
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look up services: %w", err)
	}
	return out, nil
}

// onlyOpenService returns the one open service of a shipment. It is empty if there is none, or more than one.
func (s states) onlyOpenService(ctx context.Context, sellerID, shipmentID string) (string, error) {
	if s.conn == nil {
		return "", noReadModel()
	}
	found, err := s.byShipment(ctx, sellerID, []string{shipmentID})
	if err != nil || len(found) == 0 {
		return "", err
	}
	only := ""
	for _, service := range found[0].GetServices() {
		switch service.GetStatus() {
		case ledgerv1.ServiceStatus_SERVICE_STATUS_COMPLETED, ledgerv1.ServiceStatus_SERVICE_STATUS_CANCELLED:
		default:
			if only != "" {
				return "", nil
			}
			only = service.GetServiceId()
		}
	}
	return only, nil
}
