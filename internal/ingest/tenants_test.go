package ingest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// The sellers of the matrix. Every id and text of the victim's orders contains its name.
const (
	victim   = "victim"
	attacker = "attacker"
)

// values are what a request names, by parameter: members of bodies, parameters of paths and queries, and headers.
type values map[string]string

// orderOf returns the values of an order of a seller.
func orderOf(seller, n string) values {
	p := seller + "-" + n + "-"
	return values{
		"shipmentId": p + "S", "shipmentIds": p + "S", "id": p + "S", "ids": p + "S", "shipment_id": p + "S",
		"orderId": p + "O", "orderIds": p + "O", "orderItemId": p + "I", "orderItemIds": p + "I", "replacementOrderItemId": p + "I",
		"returnId": p + "R", "returnIds": p + "R", "serviceFulfilmentId": p + "V",
		"cancellationGroupId": p + "G", "cancellationGroupIds": p + "G", "subShipmentId": p + "SS",
		"locationId": p + "L", "sellerId": seller, "seller": seller,
		"sku": p + "K", "fsn": p + "F", "listingId": p + "LST", "packageId": p + "P", "packageIds": p + "P", "productId": p + "PR",
		"trackingId": p + "T", "tracking_id": p + "T", "trackingIds": p + "T",
		"correlation_id": p + "story", "Idempotency-Key": p + "key", "next_token": p + "token",
	}
}

// subjects are the parameters that name what a call is about. They are probed with each order of the victim.
var subjects = []string{"shipmentId", "shipmentIds", "id", "ids", "returnId", "returnIds", "serviceFulfilmentId"}

// notMembers are parameters of paths, queries and headers, which bodies don't have.
var notMembers = []string{"id", "ids", "seller", "orderIds", "orderItemIds", "next_token", "correlation_id", "Idempotency-Key"}

// everything stands for a request with all ids of another seller's order: "seller/number of the order".
const everything = "everything"

// queries are the parameters of queries.
var queries = []string{"shipmentIds", "orderItemIds", "orderIds", "next_token", "correlation_id"}

type object = map[string]any

// item is an item of a call that has every member which any call reads.
func (v values) item() object {
	out := object{
		"reason": "not_enough_inventory", "forms": []object{{"name": "f", "ackNumber": "1"}},
		"taxItems":      []object{{"orderItemId": v["orderItemId"], "taxRate": 18, "quantity": 2}},
		"serialNumbers": []object{{"orderItemId": v["orderItemId"], "serialNumbers": [][]string{{"N1"}}}},
		"invoices":      []object{{"orderId": v["orderId"], "invoiceDate": "2024-03-29", "invoiceNumber": ""}},
		"subShipments": []object{{
			"subShipmentId": v["subShipmentId"], "dimensions": object{"length": 1, "breadth": 2, "height": 3, "weight": 0.5},
			"packages": []object{{"packageId": v["packageId"], "packageSku": v["sku"]}},
		}},
		"invoice": object{
			"invoiceNumber": "1", "invoiceDate": "2024-03-29", "items": []object{{"orderItemId": v["orderItemId"], "quantity": 2}},
		},
		"dispatchLocation": object{"locationId": v["locationId"]},
	}
	for _, date := range []string{"dispatchDate", "tentativeDeliveryDate", "deliveryDate", "serviceDate", "pickupDate"} {
		out[date] = "2024-04-09"
	}
	for name, value := range v {
		switch {
		case slices.Contains(notMembers, name):
		case strings.HasSuffix(name, "Ids"):
			out[name] = []string{value}
		default:
			out[name] = value
		}
	}
	return out
}

// call is the body of any call or search. Its lists hold an item of the caller's own before the probed one.
func call(own, v values) object {
	body := v.item()
	for _, list := range []string{"shipments", "returns", "services"} {
		body[list] = []object{own.item(), v.item()}
	}
	for _, list := range []string{"shipmentIds", "returnIds"} {
		body[list] = []string{own[list], v[list]}
	}
	body["filter"] = object{"type": "preDispatch", "states": []string{"APPROVED"}, "locationId": v["locationId"], "sku": []string{v["sku"]}}
	return body
}

// notification is a notification of any type.
func notification(eventType string, v values) object {
	line := object{
		"orderItemId": v["orderItemId"], "orderId": v["orderId"], "cancellationGroupId": v["cancellationGroupId"], "quantity": 1,
		"sku": v["sku"], "fsn": v["fsn"], "listingId": v["listingId"], "packageIds": []string{v["packageIds"]}, "status": "SHIPPED",
		"title": v["sku"] + "-title", "orderDate": "2024-03-28T17:00:00+05:30", "source": "customer_return", "reason": "SIZE",
		"shipmentId": v["shipmentIds"], "trackingId": v["trackingId"], "replacementOrderItemId": v["replacementOrderItemId"],
		"productId": v["productId"], "priceComponents": object{"sellingPrice": 10, "totalPrice": 10},
	}
	created := maps.Clone(line)
	created["quantity"], created["status"] = 2, "APPROVED"
	return object{
		"eventType": eventType, "timestamp": "2024-04-02T00:00:00Z", "source": "flipkart", "sellerId": v["sellerId"],
		"locationId": v["locationId"], "shipmentId": v["shipmentId"], "returnId": v["returnId"],
		"attributes": object{
			"orderItems": []object{created}, "returnItems": []object{line}, "hold": false, "status": "SHIPPED",
			"dispatchByDate": "2024-04-10T10:00:00+05:30", "dispatchAfterDate": "2024-03-28T19:00:00+05:30", "shipmentType": "NORMAL",
			"subShipments": []object{{"subShipmentId": v["subShipmentId"], "packages": []object{{"packageId": v["packageId"]}}}},
			"trackingId":   v["trackingId"], "reason": "order_cancelled", "expectedDate": "2024-05-01T00:00:00Z",
			"forms": []object{{"name": v["sku"] + "-form", "link": "https://" + v["sku"], "status": "Not created"}},
			"extensions": object{
				"services": []object{{
					"serviceFulfilmentId": v["serviceFulfilmentId"], "orderItemId": v["orderItemId"], "serviceByDate": "2024-04-20T00:00:00Z",
				}},
				"deliveryAddress": object{"firstName": v["sku"] + "-name", "addressLine1": v["sku"] + "-street"},
			},
		},
	}
}

// without returns a notification without some members of its envelope.
func without(body object, names ...string) object {
	for _, name := range names {
		delete(body, name)
	}
	return body
}

// matrix is two sellers on one instance: the attacker sends every request with each of the victim's ids in turn.
type matrix struct {
	*bundle
	theirs  []values      // The victim's orders: approved, packed, returned, approved.
	unknown *atomic.Int32 // Counts the ids that exist nowhere; notifications of the attacker may create them.
}

// places makes an order of a seller, and returns it. returned gives it a return too.
func (m *matrix) places(seller, n string, returned bool) values {
	m.t.Helper()
	v := orderOf(seller, n)
	notify := func(body object) {
		text, err := json.Marshal(body)
		require.NoError(m.t, err)
		a := m.send(http.MethodPost, "/notifications/"+seller, string(text), bearer(tokenOf(seller))...)
		require.Equal(m.t, http.StatusOK, a.status, "%s", a.body)
	}
	notify(without(notification("shipment_created", v), "returnId"))
	if returned {
		notify(without(notification("shipment_delivered", v), "returnId"))
		notify(without(notification("return_created", v), "shipmentId"))
		m.state(v["shipmentId"], func(s *ledgerv1.Shipment) bool { return len(s.GetReturns()) == 1 })
	} else {
		m.state(v["shipmentId"], func(s *ledgerv1.Shipment) bool { return true })
	}
	return v
}

// as sends a request of a seller to a route.
func (m *matrix) as(seller, pattern string, path string, body object, headers ...string) answer {
	m.t.Helper()
	token := "calls-of-" + seller
	if strings.HasPrefix(path, "/notifications") {
		token = tokenOf(seller)
	}
	method, _, _ := strings.Cut(pattern, " ")
	if pattern == "/" { // Everything that no other route serves.
		method, path = http.MethodGet, "/nowhere"
	}
	text := ""
	if body != nil {
		b, err := json.Marshal(body)
		require.NoError(m.t, err)
		text = string(b)
	}
	return m.send(method, path, text, append(append(bearer(token), headers...), "X-Correlation-Id", "a")...)
}

// parameters of paths.
var pathParameter = regexp.MustCompile(`\{([a-z]+)\}`)

// pathOf fills in the parameters of a route's path.
func pathOf(pattern string, v values) string {
	_, path, _ := strings.Cut(strings.TrimSuffix(pattern, "{$}"), " ")
	return pathParameter.ReplaceAllStringFunc(path, func(p string) string { return url.PathEscape(v[strings.Trim(p, "{}")]) })
}

// probe sends the attacker's request with one parameter replaced.
func (m *matrix) probe(pattern, eventType, parameter string, own values, value string) answer {
	m.t.Helper()
	v := maps.Clone(own)
	v[parameter] = value
	switch parameter {
	case everything:
		seller, n, _ := strings.Cut(value, "/")
		v, value = orderOf(seller, n), seller
	case "ids": // Lists mix own ids with the probed one.
		v[parameter] = own["ids"] + "," + value
	}
	path := pathOf(pattern, v)
	if slices.Contains(queries, parameter) && !strings.HasPrefix(pattern, "POST") {
		path += "?" + parameter + "=" + url.QueryEscape(value)
	}
	var body object
	switch {
	case strings.Contains(pattern, "/notifications"):
		body = notification(eventType, v)
		if strings.HasPrefix(eventType, "return_") && parameter != "shipmentId" {
			body = without(body, "shipmentId")
		}
	case strings.HasPrefix(pattern, "POST"):
		body = call(own, v)
	}
	var headers []string
	if parameter == "Idempotency-Key" {
		headers = []string{"Idempotency-Key", value}
	}
	a := m.as(attacker, pattern, path, body, headers...)
	a.body = []byte(strings.ReplaceAll(string(a.body), value, "ID"))
	return a
}

// eventTypes are the types of notifications that are probed.
var eventTypes = []string{
	"shipment_created", "shipment_hold", "shipment_unhold", "shipment_packed", "shipment_ready_to_dispatch", "shipment_pickup_complete",
	"shipment_shipped", "shipment_delivered", "shipment_dispatch_dates_changed", "shipment_cancelled", "shipment_form_failed",
	"return_created", "return_item_tracking_id_update", "return_expected_date_changed", "return_picked_up", "return_completed", "return_cancelled",
	"shipment_observed", "return_observed",
}

// parametersOf returns what a route is probed with.
func parametersOf(pattern string, known values) []string {
	var out []string
	for _, p := range pathParameter.FindAllStringSubmatch(pattern, -1) {
		out = append(out, p[1])
	}
	out = append(out, everything)
	if strings.HasPrefix(pattern, "GET") {
		return append(out, queries...)
	}
	for name := range known {
		if !slices.Contains(notMembers, name) {
			out = append(out, name)
		}
	}
	return append(out, "Idempotency-Key")
}

// A seller sees nothing of another and changes nothing of it: the answer to another seller's id is that to an unknown
// id, on every route and for every parameter.
func TestRoutesHideOtherSellers(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	operator := setting.NewSecret("operator-of-the-matrix")
	m := &matrix{unknown: new(atomic.Int32), bundle: setup(t, conn, func(c *ingest.Config) {
		c.OperatorToken, c.LookupTimeout = operator, 1 // Nobody projects, so waiting for the tables would not end.
		c.Sellers = sellers.Config{}
		for _, id := range []string{victim, attacker} {
			c.Sellers.Sellers = append(c.Sellers.Sellers, sellers.Seller{
				ID: id, Token: "calls-of-" + id, NotificationToken: tokenOf(id), PolicyConfig: sellers.PolicyConfig{Own: true},
			})
		}
	})}
	m.theirs = []values{m.places(victim, "1", false), m.places(victim, "2", false), m.places(victim, "3", true), m.places(victim, "4", false)}
	labels := object{"shipments": []object{m.theirs[1].item()}}
	packed := m.as(victim, "POST", "/sellers/v3/shipments/labels", labels, "Idempotency-Key", m.theirs[1]["Idempotency-Key"])
	require.Equal(t, "SUCCESS", packed.member(t, "shipments", 0, "status"), "%s", packed.body)
	m.state(m.theirs[1]["shipmentId"], status(ledgerv1.Status_STATUS_PACKED))

	patterns := m.ingest.Patterns()
	own := map[string]values{}
	var states []*ledgerv1.Shipment
	for i, pattern := range patterns {
		v := m.places(attacker, fmt.Sprint(i), strings.Contains(pattern, "/returns/"))
		own[pattern] = v
		states = append(states, m.state(v["shipmentId"], func(*ledgerv1.Shipment) bool { return true }))
	}
	var before []*ledgerv1.Shipment
	for _, v := range m.theirs {
		before = append(before, m.state(v["shipmentId"], func(*ledgerv1.Shipment) bool { return true }))
	}
	project(t, conn, append(states, before...)...)
	search := m.as(victim, "POST", "/sellers/v3/shipments/filter", object{"filter": object{"type": "preDispatch"}, "pagination": object{"pageSize": 1}})
	next, err := url.Parse(fmt.Sprint(search.member(t, "nextPageUrl")))
	require.NoError(t, err)
	for _, v := range m.theirs {
		v["next_token"] = next.Query().Get("next_token")
	}

	for _, pattern := range patterns {
		t.Run(strings.ReplaceAll(pattern, "/", "."), func(t *testing.T) {
			m := &matrix{bundle: &bundle{t: t, url: m.url, journal: m.journal}, theirs: m.theirs, unknown: m.unknown}
			m.probeRoute(pattern, own[pattern])
		})
	}

	// The exact request of the victim, with its key.
	repeat := m.as(attacker, "POST", "/sellers/v3/shipments/labels", labels, "Idempotency-Key", m.theirs[1]["Idempotency-Key"])
	require.Equal(t, "INVALID_SHIPMENTS", repeat.member(t, "shipments", 0, "errorCode"), "%s", repeat.body)
	// A page token that the attacker has made from the victim's shows the attacker's own shipments only.
	token, err := base64.RawURLEncoding.DecodeString(m.theirs[0]["next_token"])
	require.NoError(t, err)
	forged := strings.ReplaceAll(string(token), `"seller":"`+victim, `"seller":"`+attacker)
	require.NotEqual(t, string(token), forged)
	page := m.as(attacker, "GET", "/sellers/v3/shipments/filter?next_token="+base64.RawURLEncoding.EncodeToString([]byte(forged)), nil)
	require.Equal(t, http.StatusOK, page.status, "%s", page.body)
	require.NotContains(t, string(page.body), victim)

	testkit.Eventually(t, func() bool {
		got := m.send(http.MethodGet, "/progress", "", bearer(operator.Reveal())...)
		behind, ok := got.member(t, "behind").(object)
		return ok && behind["inbox"] == 0.0 && behind["resolver"] == 0.0
	}, "every notification is decided")
	for i, v := range m.theirs { //nolint:paralleltest // The linter takes it for a loop of subtests; those run before it.
		after := m.state(v["shipmentId"], func(*ledgerv1.Shipment) bool { return true })
		require.True(t, before[i].EqualVT(after), "the attacker has changed %s", v["shipmentId"])
	}
	// The victim's own follow-up still reaches its shipment.
	v := m.theirs[2]
	done := m.as(victim, "POST", "/notifications", without(notification("return_completed", v), "shipmentId", "sellerId"))
	require.Equal(t, http.StatusOK, done.status, "%s", done.body)
	m.state(v["shipmentId"], returned(ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED))
}

// probeRoute probes every parameter of a route.
func (m *matrix) probeRoute(pattern string, own values) {
	m.t.Helper()
	types := []string{""}
	if strings.Contains(pattern, "/notifications") {
		types = eventTypes
	} else {
		m.control(pattern, own)
	}
	for _, eventType := range types {
		for _, parameter := range parametersOf(pattern, own) {
			theirs := m.theirs[:1]
			if parameter == everything || slices.Contains(subjects, parameter) {
				theirs = m.theirs
			}
			for n, v := range theirs {
				unknown := func() string { return fmt.Sprint("nobody-", m.unknown.Add(1)) }
				if parameter == everything {
					order := fmt.Sprint("/", n+1)
					v = values{everything: victim + order}
					unknown = func() string { return fmt.Sprint("nobody-", m.unknown.Add(1), order) }
				}
				require.NotEmpty(m.t, v[parameter], "%s has the parameter %s without a probe", pattern, parameter)
				what := fmt.Sprintf("%s %s: %s=%s", pattern, eventType, parameter, v[parameter])
				// The first request brings the attacker's own shipment into the state in which the others find it.
				m.probe(pattern, eventType, parameter, own, unknown())
				hidden := m.probe(pattern, eventType, parameter, own, v[parameter])
				missing := m.probe(pattern, eventType, parameter, own, unknown())
				require.Equal(m.t, missing.status, hidden.status, "%s: %s", what, hidden.body)
				require.NotContains(m.t, string(hidden.body), victim, what)
				if eventType == "" {
					require.Equal(m.t, string(missing.body), string(hidden.body), what)
				}
			}
		}
	}
}

// control requires that the request of a probe works for its own seller: otherwise the probes would prove nothing.
func (m *matrix) control(pattern string, own values) {
	m.t.Helper()
	switch {
	case pattern == "/" || !strings.Contains(pattern, "/sellers/"):
		return
	case strings.HasPrefix(pattern, "GET") || strings.Contains(pattern, "labelOnly") || strings.HasSuffix(pattern, "/forms"):
		seen := 0
		v := m.theirs[1]
		for _, query := range append([]string{""}, queries...) {
			path := pathOf(pattern, v)
			if query != "" {
				path += "?" + query + "=" + v[query]
			}
			if got := m.as(victim, pattern, path, nil); got.status == http.StatusOK && len(got.body) > len(`{"shipments":[]}`) {
				seen++
			}
		}
		require.Positive(m.t, seen, "%s shows its own seller nothing", pattern)
	default:
		got := m.as(attacker, pattern, pathOf(pattern, own), call(own, own))
		require.Equal(m.t, http.StatusOK, got.status, "%s: %s", pattern, got.body)
		require.NotContains(m.t, string(got.body), "UNPROCESSABLE_ENTITY", "%s: the body lacks a member", pattern)
		if strings.HasSuffix(pattern, "/labels") { // So that packing does not change its state between two probes.
			m.state(own["shipmentId"], status(ledgerv1.Status_STATUS_PACKED))
		}
		require.NotRegexp(m.t, "INVALID_(SHIPMENTS|RETURNS|SERVICES)", string(got.body), "%s: its own ids are not found", pattern)
	}
}
