package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/marketplace"
)

// Seller acts as OwnSeller and uses the seller API: labels, dispatch, cancel. For this seller the ledger is the
// marketplace itself, so it renders labels and the state changes.
type Seller struct {
	// URL is the base URL of the ingest service.
	URL string
	// Log prints one line per call.
	Log func(format string, args ...any)
}

// ownShipment returns the ids of the n-th shipment of OwnSeller.
func ownShipment(n int) (id, item, location string) {
	id, item = fmt.Sprintf("0e5ca1e0-0000-4000-8000-%012d", n), fmt.Sprintf("9000000000000%03d", n)
	return id, item, "LOC" + strings.Repeat("0", 31) + "9"
}

// Play takes n shipments through the seller API from creation to delivery; the last one is cancelled instead.
func (s Seller) Play(ctx context.Context, n int) error {
	for i := range n {
		if err := s.playShipment(ctx, i, i == n-1); err != nil {
			return err
		}
	}
	return nil
}

func (s Seller) playShipment(ctx context.Context, n int, cancel bool) error {
	id, item, location := ownShipment(n)
	now := time.Now().UTC().Truncate(time.Second)
	notify := func(kind string, at time.Time, attributes object) error {
		return s.post(ctx, "/notifications", object{
			"eventType": kind, "source": "sandbox", "version": "v3", "timestamp": wire(at), "sellerId": OwnSeller,
			"locationId": location, "shipmentId": id, "attributes": attributes,
		}, nil)
	}
	p := products[n%len(products)]
	err := notify("shipment_created", now.Add(-time.Hour), object{
		"dispatchAfterDate": wire(now.Add(-time.Hour)), "dispatchByDate": wire(now.Add(24 * time.Hour)),
		"deliverByDate": wire(now.Add(120 * time.Hour)),
		"updatedAt":     wire(now.Add(-time.Hour)), "hold": false, "shipmentType": "NORMAL",
		"orderItems": []object{{
			"orderItemId": item, "orderId": "OD" + item + "000", "cancellationGroupId": "grp" + item,
			"orderDate": wire(now.Add(-2 * time.Hour)), "paymentType": "PREPAID", "status": "APPROVED", "quantity": 1,
			"sku": p.sku, "fsn": p.fsn, "listingId": "LST" + p.fsn, "title": p.title,
			"priceComponents": object{"sellingPrice": p.price, "shippingCharge": 0, "totalPrice": p.price},
		}},
	})
	if err != nil {
		return err
	}
	if cancel {
		return s.call(ctx, "cancel", id, object{"shipments": []object{{
			"shipmentId": id, "locationId": location, "cancellationGroupIds": []string{"grp" + item},
			"reason": "cannot_procure_item",
		}}})
	}
	if err := s.call(ctx, "labels", id, object{"shipments": []object{{
		"shipmentId": id, "locationId": location,
		"taxItems": []object{{"orderItemId": item, "taxRate": 18, "quantity": 1}},
		"invoices": []object{{
			"orderId": "OD" + item + "000", "invoiceNumber": fmt.Sprintf("INV-%d", n),
			"invoiceDate": now.In(marketplace.IST).Format(time.DateOnly),
		}},
		"subShipments": []object{{
			"subShipmentId": "SS-1", "dimensions": object{"length": 20, "breadth": 15, "height": 10, "weight": 0.8},
		}},
	}}}); err != nil {
		return err
	}
	if err := s.await(ctx, id, "PACKED"); err != nil {
		return err
	}
	if err := s.call(ctx, "dispatch", id, object{"shipmentIds": []string{id}, "locationId": location}); err != nil {
		return err
	}
	for _, kind := range []string{"shipment_pickup_complete", "shipment_shipped", "shipment_delivered"} {
		status := strings.ToUpper(strings.TrimPrefix(kind, "shipment_"))
		if err := notify(kind, time.Now().UTC(), object{"status": status}); err != nil {
			return err
		}
	}
	return nil
}

// call makes a seller call for one shipment. It repeats the call while the shipment is unknown: the notification of its
// creation may still be in the inbox.
func (s Seller) call(ctx context.Context, verb, id string, body object) error {
	return retry(ctx, func() (bool, error) {
		var answer struct {
			Shipments []struct{ ShipmentID, Status, ErrorCode, ErrorMessage string }
		}
		if err := s.post(ctx, "/sellers/v3/shipments/"+verb, body, &answer); err != nil {
			return false, err
		}
		if len(answer.Shipments) != 1 {
			return false, fmt.Errorf("%s of %s: response has %d results", verb, id, len(answer.Shipments))
		}
		r := answer.Shipments[0]
		if r.ErrorCode == "INVALID_SHIPMENTS" {
			return false, nil
		}
		if r.Status != "SUCCESS" {
			return false, fmt.Errorf("%s of %s: %s %s", verb, id, r.ErrorCode, r.ErrorMessage)
		}
		s.Log("seller  POST …/shipments/%-8s %s  %s", verb, id, r.Status)
		return true, nil
	})
}

// await polls the shipment until it has the status.
func (s Seller) await(ctx context.Context, id, status string) error {
	return retry(ctx, func() (bool, error) {
		var answer struct {
			Shipments []struct{ OrderItems []struct{ Status string } }
		}
		if err := s.do(ctx, http.MethodGet, "/sellers/v3/shipments?shipmentIds="+id, nil, &answer); err != nil {
			return false, err
		}
		if len(answer.Shipments) != 1 || len(answer.Shipments[0].OrderItems) == 0 {
			return false, nil
		}
		if answer.Shipments[0].OrderItems[0].Status != status {
			return false, nil
		}
		s.Log("seller  GET  …/shipments          %s  %s", id, status)
		return true, nil
	})
}

// retry calls f until it is done or fails, or until half a minute has passed.
func retry(ctx context.Context, f func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("no progress in 30 s"))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := f(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s Seller) post(ctx context.Context, path string, body object, answer any) error {
	return s.do(ctx, http.MethodPost, path, body, answer)
}

func (s Seller) do(ctx context.Context, method, path string, body object, answer any) error {
	var in io.Reader = http.NoBody
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, in)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	if path != "/notifications" { // A seller's token proves no notification.
		req.Header.Set("Authorization", "Bearer "+OwnToken)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(text))
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}
