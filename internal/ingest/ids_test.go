package ingest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// oddIDs are valid, but mean something else in a path, a query or SQL unless they are escaped.
func oddIDs() []string {
	return []string{
		"a,b", "..", ".", "a/b", "../x", "%2C", "a%2Fb", "50%", "a b", "a+b", "q?x=1", "h#h", "a&b", "'; DROP TABLE x; --", `back\slash`, "a;b", "कमल", ",",
		"filter",
	}
}

// Every id that the ledger accepts is readable by every read.
func TestReadsOddIDs(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	project(t, conn, aShipment("a", 1, nil), aShipment("c,d", 1, nil))
	for _, id := range oddIDs() {
		project(t, conn, aShipment(id, 2, nil))
	}
	// escape escapes everything: %2E%2E is no step up for the router, and no client or proxy cleans it away.
	escape := func(id string) string {
		var s strings.Builder
		for _, c := range []byte(id) {
			s.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15])))
		}
		return s.String()
	}
	for _, id := range oddIDs() {
		for _, form := range []string{escape(id), url.QueryEscape(id)} {
			require.Contains(t, ids(t, b.get("?shipmentIds="+form)), id)
			require.Contains(t, ids(t, b.get("?orderIds="+url.QueryEscape("OD-"+id))), id)
			require.Contains(t, ids(t, b.get("?orderItemIds="+url.QueryEscape("I-"+id))), id)
		}
		if id == "filter" {
			continue // GET /sellers/v3/shipments/filter is the next page of a search.
		}
		require.Contains(t, ids(t, b.get("/"+escape(id))), id)
		require.Contains(t, ids(t, b.get("/"+escape(id)+"/forms")), id)
		labels := b.get("/" + escape(id) + "/labels")
		require.Equal(t, http.StatusUnprocessableEntity, labels.status, "it has none")
		require.Contains(t, string(labels.body), "ORDER_ITEM_NOT_PACKED")
		require.NotContains(t, string(labels.body), "INVALID_SHIPMENTS", "none is unknown")
	}
	require.Equal(t, []string{"..", "."}, ids(t, b.get("?shipmentIds=..,.")))

	// Several ids with commas, in one text or in several parameters.
	want := []string{"a,b", "a", "c,d", ".."}
	require.Equal(t, want, ids(t, b.get("/a%2Cb,a,c%2Cd,%2E%2E")))
	require.Equal(t, want, ids(t, b.get("?shipmentIds=a%2Cb,a,c%2Cd,..")))
	require.ElementsMatch(t, want, ids(t, b.get("?shipmentIds=a%2Cb&shipmentIds=c%2Cd&shipmentIds=..")))
	// The official client escapes the commas between ids.
	require.Equal(t, []string{"a", ".."}, ids(t, b.get("/a%2C%2E%2E")))
	require.Equal(t, []string{"a", ".."}, ids(t, b.get("?shipmentIds=a%2C..")))

	require.Equal(t, http.StatusUnprocessableEntity, b.get("?shipmentIds=%zz").status)
	require.Equal(t, http.StatusUnprocessableEntity, b.get("?shipmentIds=,").status)
	require.Equal(t, http.StatusNotFound, b.get("/..").status, "the router redirects to the cleaned path")
}

// An update names its shipment in the path.
func TestUpdateOddIDs(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	for _, id := range []string{"a,b", "..", "a/b"} {
		body := strings.Replace(created("S1"), `"shipmentId":"S1"`, `"shipmentId":"`+id+`"`, 1)
		b.notify(strings.Replace(body, `"NORMAL"`, `"SELF"`, 1))
		b.state(id, status(ledgerv1.Status_STATUS_APPROVED))
		path := map[string]string{"a,b": "a%2Cb", "..": "%2E%2E", "a/b": "a%2Fb"}[id]
		got := b.send(http.MethodPost, "/sellers/v3/shipments/"+path+"/update", `{"delivery_partner":"X","tracking_id":"T"}`, bearer(ownToken)...)
		require.Equal(t, http.StatusOK, got.status, "%s", got.body)
		require.Equal(t, id, got.member(t, "shipments", 0, "shipmentId"), "%s", got.body)
		require.NotEqual(t, "INVALID_SHIPMENTS", got.member(t, "shipments", 0, "errorCode"))
	}
}
