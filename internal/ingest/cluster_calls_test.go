package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// manyGroups returns a shipment_created in which each item is its own cancellation group.
func manyGroups(id string) string {
	items := make([]string, groupsOfShipment)
	for i := range items {
		items[i] = fmt.Sprintf(`{"orderItemId":"I-%s-%d","orderId":"OD1","cancellationGroupId":"g%d","orderDate":"2024-03-28T17:00:00+05:30",`+
			`"paymentType":"COD","status":"APPROVED","quantity":1,"sku":"SKU-1","title":"Phone","priceComponents":{"totalPrice":200}}`, id, i, i)
	}
	body := created(id)
	from, to := strings.Index(body, `"orderItems":[`)+len(`"orderItems":[`), strings.Index(body, `],"forms"`)
	return body[:from] + strings.Join(items, ",") + body[to:]
}

// callResult is the outcome of one call.
type callResult struct {
	out       cancelled
	notStored bool   // There is no outcome, and certainly nothing was stored.
	detail    string // Of a call without an outcome.
}

// cancelGroups calls an instance to cancel groups of a shipment.
func cancelGroups(ctx context.Context, n *instance, in cancelOp) callResult {
	var groups []string
	for g := range groupsOfShipment {
		if in.groups&(1<<g) != 0 {
			groups = append(groups, fmt.Sprintf(`"g%d"`, g))
		}
	}
	a := post(ctx, n, "/sellers/v3/shipments/cancel", fmt.Sprintf(`{"shipments":[{"shipmentId":%q,"locationId":"LOC1","cancellationGroupIds":[%s],`+
		`"reason":"not_enough_inventory"}]}`, in.shipment, strings.Join(groups, ",")), in.key)
	detail := fmt.Sprint(a.status, " ", string(a.body))
	switch {
	case a.status == http.StatusOK:
	case a.status == http.StatusServiceUnavailable && !bytes.Contains(a.body, []byte("in_doubt")):
		return callResult{out: cancelled{unknown: true}, notStored: true, detail: detail}
	default:
		return callResult{out: cancelled{unknown: true}, detail: detail}
	}
	var results struct {
		Shipments []struct{ Status, ErrorCode string }
	}
	if err := json.Unmarshal(a.body, &results); err != nil || len(results.Shipments) != 1 {
		return callResult{out: cancelled{unknown: true}, detail: detail}
	}
	if results.Shipments[0].Status != "SUCCESS" {
		return callResult{detail: detail}
	}
	_, offset, _ := strings.Cut(a.header.Get("Ledger-Position"), ":")
	at, err := strconv.ParseInt(offset, 10, 64)
	if err != nil {
		at = math.MinInt64 // No offset of an event: the model rejects it.
	}
	return callResult{out: cancelled{accepted: true, offset: at}}
}

const (
	// callTimeout is longer than an instance takes to answer, whatever happens to the others.
	callTimeout = 40 * time.Second
	// patience is how long a caller waits for an instance that is dead or frozen.
	patience = 300 * time.Millisecond
)

func post(ctx context.Context, n *instance, path, body, key string) answer {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	go func() {
		select {
		case <-n.faulty():
			time.AfterFunc(patience, cancel)
		case <-ctx.Done():
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url+path, strings.NewReader(body))
	if err != nil {
		return answer{body: []byte(err.Error())}
	}
	if !strings.HasPrefix(path, "/notifications") { // A seller's token proves none.
		req.Header.Set("Authorization", "Bearer "+ownToken)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{body: []byte(err.Error())}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{body: []byte(err.Error())}
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: text}
}
