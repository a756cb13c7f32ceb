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

// manyGroups is a shipment_created whose items are each a cancellation group of their own.
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

// asked is what came of one call.
type asked struct {
	out       cancelled
	notStored bool // There is no answer, and it is certain that nothing was stored.
	why       string
}

func ask(ctx context.Context, n *node, in cancelOp) asked {
	var groups []string
	for g := range groupsOfShipment {
		if in.groups&(1<<g) != 0 {
			groups = append(groups, fmt.Sprintf(`"g%d"`, g))
		}
	}
	a := post(ctx, n, "/sellers/v3/shipments/cancel", fmt.Sprintf(`{"shipments":[{"shipmentId":%q,"locationId":"LOC1","cancellationGroupIds":[%s],`+
		`"reason":"not_enough_inventory"}]}`, in.shipment, strings.Join(groups, ",")), in.key)
	why := fmt.Sprint(a.status, " ", string(a.body))
	switch {
	case a.status == http.StatusOK:
	case a.status == http.StatusServiceUnavailable && !bytes.Contains(a.body, []byte("in_doubt")):
		return asked{out: cancelled{unknown: true}, notStored: true, why: why}
	default:
		return asked{out: cancelled{unknown: true}, why: why}
	}
	var results struct {
		Shipments []struct{ Status, ErrorCode string }
	}
	if err := json.Unmarshal(a.body, &results); err != nil || len(results.Shipments) != 1 {
		return asked{out: cancelled{unknown: true}, why: why}
	}
	if results.Shipments[0].Status != "SUCCESS" {
		return asked{why: why}
	}
	_, offset, _ := strings.Cut(a.header.Get("Ledger-Position"), ":")
	at, err := strconv.ParseInt(offset, 10, 64)
	if err != nil {
		at = math.MinInt64 // The model will find it.
	}
	return asked{out: cancelled{accepted: true, offset: at}}
}

const (
	// callTimeout is above what an instance takes to answer, whatever happens to others.
	callTimeout = 40 * time.Second
	// patience is what callers have with one that does not get on.
	patience = 300 * time.Millisecond
)

func post(ctx context.Context, n *node, path, body, key string) answer {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	go func() {
		select {
		case <-n.trouble():
			time.AfterFunc(patience, cancel)
		case <-ctx.Done():
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url+path, strings.NewReader(body))
	if err != nil {
		return answer{body: []byte(err.Error())}
	}
	req.Header.Set("Authorization", "Bearer "+ownToken)
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
