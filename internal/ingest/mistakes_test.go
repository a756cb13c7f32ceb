package ingest_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
)

func TestMistakesAreAnsweredInWords(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write([]byte(`{"shipmentIds":["S1"]}`))
	require.NoError(t, err)
	require.NoError(t, w.Close())

	b := setup(t, readModel(t), func(cfg *ingest.Config) {
		cfg.Sellers = strictSellers()
		cfg.PublicURL = "https://ledger.example"
	})
	const dispatch, filter, notify = "/sellers/v3/shipments/dispatch", "/sellers/v3/shipments/filter", "/notifications"
	calls := bearer("calls-of-s1")
	for name, c := range map[string]struct {
		path, body string
		headers    []string
		status     int
		detail     string
	}{
		"gzip": {
			dispatch, zipped.String(), append([]string{"Content-Encoding", "gzip"}, calls...), 415,
			"the body has the Content-Encoding gzip: send it uncompressed",
		},
		"gzip of a notification": {
			notify, zipped.String(), append([]string{"Content-Encoding", "gzip"}, bearer(tokenOf("s3"))...), 415,
			"the body has the Content-Encoding gzip: send it uncompressed",
		},
		"gzip without the header": {
			dispatch, zipped.String(), calls, 400,
			"invalid_utf8 at offset 1: invalid UTF-8: the body is compressed with gzip; send it uncompressed",
		},
		"UTF-16": {
			dispatch, "\xff\xfe{\x00", calls, 400, "invalid_utf8 at offset 0: invalid UTF-8: the body is UTF-16; send it as UTF-8",
		},
		"empty": {dispatch, "", calls, 400, "not_json at offset 0: the body is empty: want a JSON object"},
		"a form": {
			dispatch, "--b\r\nContent-Disposition: form-data", calls, 400,
			"not_json at offset 0: the body is no JSON: want an object, which begins with {",
		},
		"XML": {notify, "\n<a/>", bearer(tokenOf("s3")), 400, "not_json at offset 1: the body is no JSON: want an object, which begins with {"},
		"too large": {
			dispatch, string(make([]byte, 1<<20+1)), calls, 413, "the body has more than 1048576 bytes, which is the most",
		},
		"a guessed token":     {dispatch, "{}", bearer("guess"), 401, "the token is not valid: the sellers file has no such token for calls"},
		"no credential":       {notify, "{}", nil, 401, "a notification needs a notification token, or a signature in X_Authorization and X_Date"},
		"an unknown app":      {notify, "{}", signed("other", "https://ledger.example/notifications"), 401, "the sellers file has no application with the appId in X_Authorization"},
		"another URL":         {notify, "{}", signed("app", "https://ledger.example/"), 401, "the signature does not match: it must cover the X_Date in Unix seconds, https://ledger.example/notifications, POST and the secret"},
		"a date of ISO":       {notify, "{}", append([]string{"X_Date", "2026-01-31T10:00:00Z"}, signed("app", "x")[2:]...), 401, "X_Date: want Unix seconds, or an HTTP date such as Sun, 06 Nov 1994 08:49:37 GMT"},
		"a range without end": {filter, `{"filter":{"type":"preDispatch","orderDate":{"from":"2026-02-01","to":"2026-01-31"}}}`, calls, 422, "filter.orderDate: from is after to"},
		"a day in words":      {filter, `{"filter":{"type":"preDispatch","orderDate":{"from":"today"}}}`, calls, 422, "filter.orderDate.from: not a time: want a day such as 2026-01-31, or a time such as 2026-01-31T18:00:00+05:30"},
		"an unknown order":    {filter, `{"filter":{"type":"preDispatch"},"sort":{"field":"price"}}`, calls, 422, "sort: sort.field must be dispatchByDate, dispatchAfterDate, orderDate or modifiedDate"},
	} {
		a := b.send(http.MethodPost, c.path, c.body, c.headers...)
		require.Equal(t, c.status, a.status, "%s: %s", name, a.body)
		require.Equal(t, c.detail, a.member(t, "detail"), name)
	}
	a := b.send(http.MethodPost, dispatch, "x", append([]string{"Content-Encoding", "br"}, calls...)...)
	require.Equal(t, "identity", a.header.Get("Accept-Encoding"))
	a = b.send(http.MethodPost, dispatch, `{"shipmentIds":["S1"]}`, append([]string{"Content-Encoding", "Identity"}, calls...)...)
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)

	for path, detail := range map[string]string{
		"/filter":               "next_token is missing or is none of this seller: follow nextPageUrl of the page before; POST /sellers/v3/shipments/filter begins a search",
		"/filter?next_token=xx": "next_token is missing or is none of this seller: follow nextPageUrl of the page before; POST /sellers/v3/shipments/filter begins a search",
		"?shipmentIds=":         "no id is named: want one or more, with commas between them",
	} {
		a := b.send(http.MethodGet, "/sellers/v3/shipments"+path, "", calls...)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, path)
		require.Equal(t, detail, a.member(t, "detail"), path)
	}
}
