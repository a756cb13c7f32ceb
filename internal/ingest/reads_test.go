package ingest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/projections"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestMain(m *testing.M) { os.Exit(testkit.RunClickHouse(m)) }

// readModel returns a database with the ledger's tables, empty. It skips the test if there is no engine.
func readModel(t *testing.T) driver.Conn {
	t.Helper()
	addr, database := testkit.ClickHouse(t)
	cfg := clickhouse.DefaultConfig()
	cfg.Addrs, cfg.Database = []string{addr}, database
	require.NoError(t, clickhouse.Migrate(t.Context(), cfg, testkit.Logger(t), projections.Migrations()))
	conn, err := clickhouse.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func at(day int) *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2024, 4, day, 10, 0, 0, 0, time.UTC))
}

// aShipment returns a state with one item; change may alter it.
func aShipment(id string, day int, change func(*ledgerv1.Shipment)) *ledgerv1.Shipment {
	price := int64(19990)
	s := &ledgerv1.Shipment{
		ShipmentId: id, Version: 1, OrderId: "OD-" + id, SellerId: "own", LocationId: "LOC1", Status: ledgerv1.Status_STATUS_APPROVED,
		UpdatedAt: at(day), DispatchBy: at(day), DispatchAfter: at(1),
		Times: &ledgerv1.Times{Created: &ledgerv1.Moment{At: at(day)}},
		Items: []*ledgerv1.Item{{
			OrderItemId: "I-" + id, Status: ledgerv1.Status_STATUS_APPROVED, Ordered: 2,
			Details: &ledgerv1.ItemDetails{Sku: "SKU-1", OrderDate: at(day), Price: &ledgerv1.Price{Currency: "INR", SellingMinor: &price}},
		}},
		Details: &ledgerv1.ShipmentDetails{ShipmentType: "NORMAL"},
	}
	if change != nil {
		change(s)
	}
	return s
}

// project writes states as the projection does, as far as reads need them.
func project(t *testing.T, conn driver.Conn, states ...*ledgerv1.Shipment) {
	t.Helper()
	stamp := func(at *timestamppb.Timestamp) *time.Time {
		if at == nil {
			return nil
		}
		u := at.AsTime()
		return &u
	}
	for _, s := range states {
		bytes, err := s.MarshalVT()
		require.NoError(t, err)
		require.NoError(t, conn.Exec(t.Context(), `INSERT INTO shipments_state (shipment_id, order_id, seller_id, location_id, status, on_hold,
			created_at, dispatch_after, dispatch_by, version, updated_at, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, unhex(?))`,
			s.GetShipmentId(), s.GetOrderId(), s.GetSellerId(), s.GetLocationId(), marketplace.StatusName(s.GetStatus()),
			s.GetOnHold(),
			stamp(s.GetTimes().GetCreated().GetAt()), stamp(s.GetDispatchAfter()), stamp(s.GetDispatchBy()), s.GetVersion(),
			s.GetUpdatedAt().AsTime(), fmt.Sprintf("%x", bytes)))
		for _, item := range s.GetItems() {
			require.NoError(t, conn.Exec(t.Context(), `INSERT INTO order_items_state (shipment_id, order_item_id, order_id, seller_id, sku, status, version, updated_at)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, s.GetShipmentId(), item.GetOrderItemId(), s.GetOrderId(), s.GetSellerId(), item.GetDetails().GetSku(),
				marketplace.StatusName(item.GetStatus()), s.GetVersion(), s.GetUpdatedAt().AsTime()))
		}
		for _, v := range s.GetServices() {
			require.NoError(t, conn.Exec(t.Context(), `INSERT INTO services_state (shipment_id, service_id, version, updated_at) VALUES (?, ?, ?, ?)`,
				s.GetShipmentId(), v.GetServiceId(), s.GetVersion(), s.GetUpdatedAt().AsTime()))
		}
		for _, r := range s.GetReturns() {
			require.NoError(t, conn.Exec(t.Context(), `INSERT INTO returns_state (return_id, order_item_id, shipment_id, seller_id, version, updated_at) VALUES (?, ?, ?, ?, ?, ?)`,
				r.GetReturnId(), r.GetOrderItemId(), s.GetShipmentId(), s.GetSellerId(), s.GetVersion(), s.GetUpdatedAt().AsTime()))
		}
	}
}

func (b *bundle) get(path string) answer {
	b.t.Helper()
	return b.send(http.MethodGet, "/sellers/v3/shipments"+path, "", bearer(ownToken)...)
}

func ids(t *testing.T, a answer) []string {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	var list struct{ Shipments []struct{ ShipmentID string } }
	require.NoError(t, json.Unmarshal(a.body, &list))
	out := []string{}
	for _, s := range list.Shipments {
		out = append(out, s.ShipmentID)
	}
	return out
}

func TestReadsFindByID(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	project(t, conn,
		aShipment("S1", 2, nil), aShipment("S2", 3, nil),
		aShipment("S3", 4, func(s *ledgerv1.Shipment) { s.OrderId = "OD-S2" }),
		aShipment("X1", 2, func(s *ledgerv1.Shipment) { s.SellerId = "other" }),
		aShipment("S1", 2, func(s *ledgerv1.Shipment) { s.Version, s.Status = 2, ledgerv1.Status_STATUS_PACKED }),
	)
	// The official client writes commas as %2C. Reads leave out unknown ids and other sellers' ids, and keep the order.
	require.Equal(t, []string{"S2", "S1"}, ids(t, b.get("?shipmentIds=S2%2Cnobody%2CX1%2CS1")))
	require.Equal(t, []string{"S2", "S3"}, ids(t, b.get("?orderIds=OD-S2")))
	require.Equal(t, []string{"S1", "S3"}, ids(t, b.get("?orderItemIds=I-S1,I-S3")))
	require.Empty(t, ids(t, b.get("?shipmentIds=X1")))
	require.Equal(t, []string{"S1", "S2"}, ids(t, b.get("/S1%2CS2")))
	require.Equal(t, []string{"S1"}, ids(t, b.send(http.MethodPost, "/sellers/v3/shipments/S1/forms", "", bearer(ownToken)...)))

	one := b.get("?shipmentIds=S2")
	require.Equal(t, "2024-04-03T15:30:00.000+05:30", one.member(t, "shipments", 0, "dispatchByDate"))
	require.InDelta(t, 199.9, one.member(t, "shipments", 0, "orderItems", 0, "priceComponents", "sellingPrice"), 0)

	for _, bad := range []string{"", "?shipmentIds=", "?shipmentIds=S1&orderIds=OD1"} {
		require.Equal(t, http.StatusUnprocessableEntity, b.get(bad).status, bad)
	}
	many := "S0"
	for i := range 100 {
		many += fmt.Sprintf(",T%d", i)
	}
	require.Equal(t, http.StatusUnprocessableEntity, b.get("?shipmentIds="+many).status)
}

func TestReadsSearchPages(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	var states []*ledgerv1.Shipment
	for i := range 25 {
		// Pairs share a date, so that pages must order them by their ids as well.
		states = append(states, aShipment(fmt.Sprintf("S%02d", i), 1+i/2, nil))
	}
	states = append(states,
		aShipment("held", 1, func(s *ledgerv1.Shipment) { s.OnHold = true }),
		aShipment("packed", 1, func(s *ledgerv1.Shipment) { s.Status = ledgerv1.Status_STATUS_PACKED }),
		aShipment("undated", 1, func(s *ledgerv1.Shipment) { s.DispatchBy = nil }),
		aShipment("express", 1, func(s *ledgerv1.Shipment) { s.Details.ShipmentType, s.LocationId = "EXPRESS", "LOC2" }),
		aShipment("theirs", 1, func(s *ledgerv1.Shipment) { s.SellerId = "other" }),
		aShipment("cancelled", 20, func(s *ledgerv1.Shipment) {
			s.Status, s.Items[0].Status = ledgerv1.Status_STATUS_CANCELLED, ledgerv1.Status_STATUS_CANCELLED
			s.Items[0].Cancellations = []*ledgerv1.Cancellation{{
				Units: 2, By: ledgerv1.CancelledBy_CANCELLED_BY_SELLER, At: &ledgerv1.Moment{At: at(21)},
			}}
			s.Items[0].CancelledSeller = 2
		}),
	)
	project(t, conn, states...)
	search := func(body string) []string {
		t.Helper()
		a := b.send(http.MethodPost, "/sellers/v3/shipments/filter/", body, bearer(ownToken)...)
		found := ids(t, a)
		for a.member(t, "hasMore") == true {
			next, ok := a.member(t, "nextPageUrl").(string)
			require.True(t, ok)
			require.Regexp(t, `^/v3/shipments/filter\?next_token=[A-Za-z0-9_-]+$`, next)
			a = b.send(http.MethodGet, "/sellers"+next, "", bearer(ownToken)...)
			found = append(found, ids(t, a)...)
			require.Equal(t, http.StatusUnprocessableEntity, b.send(http.MethodGet, "/sellers"+next, "", bearer(otherToken)...).status)
		}
		require.Nil(t, a.member(t, "nextPageUrl"))
		return found
	}
	all := search(`{"filter":{"type":"preDispatch","states":["APPROVED"],"shipmentTypes":["NORMAL"]},"pagination":{"pageSize":4}}`)
	want := []string{}
	for i := range 25 {
		want = append(want, fmt.Sprintf("S%02d", i))
	}
	require.Equal(t, append(want, "undated"), all)
	down := search(`{"filter":{"type":"preDispatch","states":["APPROVED"],"shipmentTypes":["NORMAL"]},"pagination":{"pageSize":7},"sort":{"field":"dispatchByDate","order":"desc"}}`)
	require.Len(t, down, 26)
	require.Equal(t, []string{"undated", "S24", "S23"}, down[:3])

	require.Equal(t, []string{"held"}, search(`{"filter":{"type":"preDispatch","hold":true}}`))
	require.Equal(t, []string{"packed"}, search(`{"filter":{"type":"preDispatch","states":["PACKED"]}}`))
	require.Equal(t, []string{"express"}, search(`{"filter":{"type":"preDispatch","locationId":"LOC2"}}`))
	require.Equal(t, []string{"S04", "S05"}, search(`{"filter":{"type":"preDispatch","sku":["SKU-1"],"dispatchByDate":{"from":"2024-04-03T00:00:00Z","to":"2024-04-03"}}}`))
	require.Equal(t, []string{"S02", "S03"}, search(`{"filter":{"type":"preDispatch","orderDate":{"from":"2024-04-02","to":"2024-04-02"}}}`))
	require.Empty(t, search(`{"filter":{"type":"preDispatch","sku":["nothing"]}}`))
	require.Equal(t, []string{"cancelled"}, search(`{"filter":{"type":"cancelled","states":["CANCELLED"],"cancellationType":"sellerCancellation","cancellationDate":{"from":"2024-04-21"}}}`))
	require.Empty(t, search(`{"filter":{"type":"cancelled","cancellationType":"buyerCancellation"}}`))
	require.Empty(t, search(`{"filter":{"type":"preDispatch"},"sellerId":"other"}`))

	for body, status := range map[string]int{
		`{`: 400, `{"filter":{"type":"nothing"}}`: 422, `{"filter":{"type":"preDispatch","states":["LOST"]}}`: 422,
		`{"filter":{"type":"preDispatch"},"sort":{"field":"price"}}`: 422, `{"filter":{"type":7}}`: 400,
	} {
		require.Equal(t, status, b.send(http.MethodPost, "/sellers/v3/shipments/filter", body, bearer(ownToken)...).status, body)
	}
	require.Equal(t, http.StatusUnprocessableEntity, b.get("/filter?next_token=abc").status)
}

func TestReadsLabels(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	b.notify(created("S1"))
	b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	require.Equal(t, "SUCCESS", b.labels("S1", ownToken).member(t, "shipments", 0, "status"))
	packed := b.state("S1", status(ledgerv1.Status_STATUS_PACKED))
	project(t, conn, packed, aShipment("S2", 2, nil), aShipment("S3", 2, func(s *ledgerv1.Shipment) { s.Status = ledgerv1.Status_STATUS_PACKING_IN_PROGRESS }))

	first, again := b.get("/S1/labels"), b.get("/S1/labels")
	require.Equal(t, "application/pdf", first.header.Get("Content-Type"), "%s", first.body)
	require.Equal(t, first.body, again.body, "every download is the same")
	kept, err := os.ReadFile(b.blobs + "/" + packed.GetPacking().GetDocumentsRef() + ".pdf")
	require.NoError(t, err)
	require.Equal(t, kept, first.body)

	project(t, conn, aShipment("S4", 2, func(s *ledgerv1.Shipment) { s.Fulfilment = ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP }))
	for path, want := range map[string][2]string{
		"/S2/labels":     {"ORDER_ITEM_NOT_PACKED", "Labels were not requested; POST /sellers/v3/shipments/labels requests them."},
		"/S3/labels":     {"ORDER_ITEM_PACKING_IN_PROGRESS", "The documents are not ready. Ask again."},
		"/S4/labels":     {"OPERATION_NOT_ALLOWED", "It is a self-ship shipment: its seller makes the label and the invoice."},
		"/nobody/labels": {"INVALID_SHIPMENTS", "There is no such shipment; check its id."},
		"/S1,S2/labels":  {"ORDER_ITEM_NOT_PACKED", "Labels were not requested; POST /sellers/v3/shipments/labels requests them."},
	} {
		a := b.get(path)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, path)
		require.Equal(t, want[0], a.member(t, "errorCode"), path)
		require.Equal(t, want[1], a.member(t, "shipments", 0, "errorMessage"), path)
	}
	only := b.send(http.MethodPost, "/sellers/v3/shipments/S1/labelOnly", "", bearer(ownToken)...)
	require.Equal(t, "application/octet-stream", only.header.Get("Content-Type"))
	require.Equal(t, kept, only.body)
	asJSON := b.send(http.MethodPost, "/sellers/v3/shipments/S1/labelOnly", "", append(bearer(ownToken), "Accept", "application/json")...)
	require.NotEmpty(t, asJSON.member(t, "labels"))
	invoice := b.get("/S1/invoices")
	require.Equal(t, "2024-03-29", invoice.member(t, "invoices", 0, "invoiceDate"))
	require.InDelta(t, 200, invoice.member(t, "invoices", 0, "orderItems", 0, "invoiceAmount"), 0)
	require.InDelta(t, 18, invoice.member(t, "invoices", 0, "orderItems", 0, "taxDetails", "igstRate"), 0)
}

// Documents follow the shipment: after a cancellation the old ones are no longer given out.
func TestReadsLabelsAfterCancellation(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	b.notify(created("S1"))
	b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	require.Equal(t, "SUCCESS", b.labels("S1", ownToken).member(t, "shipments", 0, "status"))
	first := b.state("S1", status(ledgerv1.Status_STATUS_PACKED))
	cancel := func(at string) {
		b.notify(fmt.Sprintf(`{"eventType":"shipment_cancelled","timestamp":%q,"shipmentId":"S1","locationId":"LOC1","attributes":{
			"orderItems":[{"orderItemId":"I-S1","quantity":1,"reason":"order_cancelled"}]}}`, at))
	}
	revision := func(of func(s *ledgerv1.Shipment) uint32, want uint32) func(*ledgerv1.Shipment) bool {
		return func(s *ledgerv1.Shipment) bool { return of(s) == want }
	}
	cancel("2024-03-29T10:00:00+05:30")
	second := b.state("S1", revision(func(s *ledgerv1.Shipment) uint32 { return s.GetPacking().GetRevision() }, 2))
	require.Equal(t, ledgerv1.Status_STATUS_PACKED, second.GetStatus())
	require.NotEqual(t, first.GetPacking().GetDocumentsRef(), second.GetPacking().GetDocumentsRef())
	require.EqualValues(t, 1, second.GetPacking().GetInvoiceLines()[0].GetQuantity(), "the invoice is for what is left")
	require.Equal(t, first.GetPacking().GetInvoiceNumber(), second.GetPacking().GetInvoiceNumber())
	require.True(t, first.GetPacking().GetCourier().EqualVT(second.GetPacking().GetCourier()), "the parcel is the same")

	// What readers see between the cancellation and the new documents.
	between := second.CloneVT()
	between.ShipmentId, between.Packing = "S2", first.GetPacking()
	project(t, conn, second, between)
	got := b.get("/S1/labels")
	kept, err := os.ReadFile(b.blobs + "/" + second.GetPacking().GetDocumentsRef() + ".pdf")
	require.NoError(t, err)
	require.Equal(t, kept, got.body)
	require.Equal(t, "ORDER_ITEM_PACKING_IN_PROGRESS", b.get("/S2/labels").member(t, "errorCode"))
	require.Empty(t, b.get("/S2/invoices").member(t, "invoices"))

	cancel("2024-03-29T11:00:00+05:30")
	gone := b.state("S1", status(ledgerv1.Status_STATUS_CANCELLED))
	project(t, conn, gone)
	require.Equal(t, "ORDER_ITEM_ALREADY_CANCELLED", b.get("/S1/labels").member(t, "errorCode"))
	require.Empty(t, b.get("/S1/invoices").member(t, "invoices"))
}

// What docs/operating.md says about deleting a person's data: the API answers as for an unknown shipment, and goes on.
func TestReadsAfterDeletingPersonalData(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	named := func(s *ledgerv1.Shipment) {
		s.Details.DeliveryAddress = &ledgerv1.Address{FirstName: "Ananya"}
		s.Returns = []*ledgerv1.Return{{ReturnId: "R-" + s.GetShipmentId(), OrderItemId: "I-" + s.GetShipmentId()}}
	}
	project(t, conn, aShipment("S1", 2, named), aShipment("S2", 3, named))
	require.Contains(t, string(b.get("/S1").body), "Ananya")
	for _, statement := range testkit.DocumentedStatements(t, "Deleting a person's data", "S1") {
		require.NoError(t, conn.Exec(t.Context(), statement), statement)
	}
	for path, want := range map[string]int{
		"/S1": 0, "/S2": 1, "/S1,S2": 1, "?orderIds=OD-S1": 0, "?orderIds=OD-S1,OD-S2": 1, "?orderItemIds=I-S1,I-S2": 1,
	} {
		a := b.get(path)
		require.Equal(t, http.StatusOK, a.status, "%s: %s", path, a.body)
		require.Len(t, a.member(t, "shipments"), want, path)
	}
	require.Contains(t, string(b.get("/S2").body), "Ananya")
	require.Equal(t, "INVALID_SHIPMENTS", b.get("/S1/labels").member(t, "errorCode"))
	require.Empty(t, b.get("/S1/invoices").member(t, "invoices"))
	page := b.send(http.MethodPost, "/sellers/v3/shipments/filter", `{"filter":{"type":"preDispatch","states":["APPROVED"]}}`, bearer(ownToken)...)
	require.Equal(t, http.StatusOK, page.status, "%s", page.body)
	require.Len(t, page.member(t, "shipments"), 1)
	returned := b.send(http.MethodPost, "/sellers/v2/returns/complete", `{"locationId":"LOC1","returnIds":["R-S1"]}`, bearer(ownToken)...)
	require.Equal(t, "INVALID_RETURNS", returned.member(t, "returns", 0, "errorCode"), "%s", returned.body)

	project(t, conn, aShipment("S1", 4, func(s *ledgerv1.Shipment) { s.Version = 2 }))
	require.Len(t, b.get("/S1").member(t, "shipments"), 1, "its next event brings it back")
}

// Notifications need no address: a label and an invoice are rendered without one.
func TestReadsLabelsWithoutAddress(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	b.notify(created("S1"))
	b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	b.labels("S1", ownToken)
	packed := b.state("S1", status(ledgerv1.Status_STATUS_PACKED))
	require.Nil(t, packed.GetDetails().GetDeliveryAddress())
	project(t, conn, packed)
	label := b.get("/S1/labels")
	require.Equal(t, http.StatusOK, label.status, "%s", label.body)
	require.True(t, bytes.HasPrefix(label.body, []byte("%PDF-")))
	require.Len(t, b.get("/S1/invoices").member(t, "invoices"), 1)
	details := b.get("/S1")
	require.Equal(t, http.StatusOK, details.status, "%s", details.body)
}

func TestCommandsFindReturn(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	project(t, conn, aShipment("S1", 2, func(s *ledgerv1.Shipment) {
		s.Returns = []*ledgerv1.Return{{ReturnId: "R1", OrderItemId: "I-S1"}}
	}))
	a := b.send(http.MethodPost, "/sellers/v2/returns/complete", `{"locationId":"LOC1","returnIds":["R1","R2"]}`, bearer(ownToken)...)
	require.Equal(t, http.StatusOK, a.status)
	// The journal has no such shipment. Its answer for R1 shows that the command reached it; R2 was not looked up.
	require.Equal(t, "INVALID_SHIPMENTS", a.member(t, "returns", 0, "errorCode"), "%s", a.body)
	require.Equal(t, "INVALID_RETURNS", a.member(t, "returns", 1, "errorCode"))
	stranger := b.send(http.MethodPost, "/sellers/v2/returns/complete", `{"returnIds":["R1"]}`, bearer(otherToken)...)
	require.Equal(t, "INVALID_RETURNS", stranger.member(t, "returns", 0, "errorCode"))
}

func TestReadsSummary(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	row := func(seq int, key, outcome, reason, story string) {
		require.NoError(t, conn.Exec(t.Context(), `INSERT INTO decisions_history (lane, offset, decisionseq, outcome, reason, input_key, shipment_id, correlation_id, recorded_at, input_hash, events_head, chain_hash)
			VALUES (1, ?, ?, ?, ?, ?, 'S1', ?, now64(3), '', '', '')`, seq, seq, outcome, reason, key, story))
	}
	row(1, "a", "applied", "", "story")
	row(2, "a", "duplicate", "repeated_key", "story")
	row(3, "b", "waiting", "unknown_shipment", "story")
	row(4, "b", "applied", "", "story")
	row(5, "c", "quarantined", "bad_time", "story")
	row(6, "d", "stale", "outranked", "another")
	a := b.send(http.MethodGet, "/decisions/summary?correlation_id=story", "")
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	require.InDelta(t, 3, a.member(t, "inputs"), 0)
	require.Equal(t, map[string]any{"applied": 2.0, "quarantined": 1.0}, a.member(t, "outcomes"))
	require.Equal(t, map[string]any{"bad_time": 1.0}, a.member(t, "reasons"))
	require.Equal(t, http.StatusUnprocessableEntity, b.send(http.MethodGet, "/decisions/summary", "").status)
}

func TestCommandsFindService(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	open := func(ids ...string) func(*ledgerv1.Shipment) {
		return func(s *ledgerv1.Shipment) {
			s.Services = []*ledgerv1.Service{{ServiceId: "done-" + s.GetShipmentId(), Status: ledgerv1.ServiceStatus_SERVICE_STATUS_COMPLETED}}
			for _, id := range ids {
				status := ledgerv1.ServiceStatus_SERVICE_STATUS_IN_PROGRESS
				s.Services = append(s.Services, &ledgerv1.Service{ServiceId: id, Status: status})
			}
		}
	}
	project(t, conn, aShipment("S1", 2, open("V1")), aShipment("S2", 2, open("V2", "V3")))
	complete := func(item, token string) any {
		t.Helper()
		a := b.send(http.MethodPost, "/sellers/v2/services/complete", `{"services":[{`+item+`,"deliveryDate":"2024-04-09"}]}`, bearer(token)...)
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		return a.member(t, "services", 0, "errorCode")
	}
	// The journal has neither shipment. Its answer shows that the command reached it; ours, that no service was found.
	const submitted, notFound = "INVALID_SHIPMENTS", "INVALID_SERVICES"
	require.Equal(t, submitted, complete(`"serviceFulfilmentId":"V1"`, ownToken))
	require.Equal(t, notFound, complete(`"serviceFulfilmentId":"V9"`, ownToken))
	require.Equal(t, notFound, complete(`"serviceFulfilmentId":"V1"`, otherToken))
	require.Equal(t, submitted, complete(`"shipmentId":"S1","locationId":"LOC1"`, ownToken))
	require.Equal(t, notFound, complete(`"shipmentId":"S2","locationId":"LOC1"`, ownToken), "two are open")
	require.Equal(t, notFound, complete(`"shipmentId":"S1","locationId":"LOC1"`, otherToken))
}
