package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
)

// caller makes the calls of the marketplace and of a seller. Shipments are numbered; each has one order line for each
// cancellation that it gets.
type caller struct {
	client *http.Client
	run    string // Makes ids and keys unique to this run.
	next   int    // The number of the next new shipment.
}

func newCaller() *caller {
	transport := &http.Transport{MaxIdleConnsPerHost: 1024, IdleConnTimeout: time.Minute, DisableCompression: true}
	return &caller{
		client: &http.Client{Transport: transport, Timeout: time.Minute},
		run:    strconv.FormatInt(time.Now().UnixNano(), 36),
	}
}

// locationID is where all shipments are packed.
const locationID = "LOC00000000000000000000000000000009"

// linesPerShipment is the number of order lines, and so of cancellations, of a shipment.
const linesPerShipment = 2

func (c *caller) shipment(n int) string {
	sum := sha256.Sum256([]byte(c.run + strconv.Itoa(n)))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// created is the notification of a new shipment, as the marketplace writes it.
func (c *caller) created(n int) []byte {
	id := c.shipment(n)
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"eventType":"shipment_created","source":"sandbox","version":"v3",`+
		`"timestamp":"2026-11-01T10:00:00+05:30","sellerId":%q,"locationId":%q,"shipmentId":%q,"attributes":{`+
		`"dispatchAfterDate":"2026-11-01T10:00:00+05:30","dispatchByDate":"2026-11-03T10:00:00+05:30",`+
		`"deliverByDate":"2026-11-07T10:00:00+05:30","updatedAt":"2026-11-01T10:00:00+05:30","hold":false,`+
		`"shipmentType":"NORMAL","orderItems":[`, sellerID, locationID, id)
	for line := range linesPerShipment {
		if line > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"orderItemId":"%[1]s%[2]d","orderId":"OD%[1]s","cancellationGroupId":"grp%[2]d",`+
			`"orderDate":"2026-11-01T09:00:00+05:30","paymentType":"PREPAID","status":"APPROVED","quantity":1,`+
			`"sku":"KETTLE-15","fsn":"KTLEJ4ZQ2BXV8H3M","listingId":"LSTKTLEJ4ZQ2BXV8H3M",`+
			`"title":"Electric kettle 1.5 l","priceComponents":{"sellingPrice":1299,"shippingCharge":0,`+
			`"totalPrice":1299}}`, id[:18], line)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

// cancel is the body of one call that cancels the same line of several shipments.
func (c *caller) cancel(shipments []int, line int) []byte {
	items := make([]string, len(shipments))
	for i, n := range shipments {
		items[i] = fmt.Sprintf(
			`{"shipmentId":%q,"locationId":%q,"cancellationGroupIds":["grp%d"],"reason":"cannot_procure_item"}`,
			c.shipment(n), locationID, line)
	}
	return []byte(`{"shipments":[` + strings.Join(items, ",") + `]}`)
}

// notify sends the notification of a new shipment to an instance.
func (c *caller) notify(ctx context.Context, p *program, n int) error {
	_, err := c.post(ctx, p.url+"/notifications", "", c.created(n))
	return err
}

// record is the same notification as ingest writes it to the inbox.
func (c *caller) record(n int) (journal.InboxRecord, error) {
	body := c.created(n)
	parsed, err := marketplace.ParseNotification(body, marketplace.Settings{Currency: "INR"})
	if err != nil {
		return journal.InboxRecord{}, err
	}
	one := parsed.For(c.shipment(n), sellerID)
	return journal.InboxRecord{
		ShipmentID: one.ShipmentID, Key: one.Key(), Hash: one.Hash, SellerID: sellerID,
		CorrelationID: c.run + strconv.Itoa(n), AuthType: "marketplace", AuthID: one.Source,
		ReceivedAt: time.Now(), Body: body,
	}, nil
}

// cancels makes a call and checks that each of its items was accepted.
func (c *caller) cancels(ctx context.Context, p *program, shipments []int, line int) error {
	key := fmt.Sprintf("%s-%d-%d", c.run, shipments[0], line)
	answer, err := c.post(ctx, p.url+"/sellers/v3/shipments/cancel", key, c.cancel(shipments, line))
	if err == nil && bytes.Count(answer, []byte(`"status":"SUCCESS"`)) != len(shipments) {
		err = fmt.Errorf("of %d cancellations some were refused: %s", len(shipments), answer)
	}
	return err
}

func (c *caller) post(ctx context.Context, url, key string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("Authorization", "Bearer "+sellerToken)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %s", url, resp.Status, text)
	}
	return text, err
}
