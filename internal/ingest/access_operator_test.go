package ingest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
)

func TestAccessOfOperator(t *testing.T) {
	t.Parallel()
	const operator = "the-token-of-operators"
	paths := map[string]int{"/progress": http.StatusOK, "/decisions/summary?correlation_id=story": http.StatusServiceUnavailable}
	for name, tc := range map[string]struct {
		open    bool
		token   string
		headers []string
		let     bool
	}{
		"open, without a token of operators": {open: true, let: true},
		"open, with one that is not sent":    {open: true, token: operator},
		"open, with one":                     {open: true, token: operator, headers: bearer(operator), let: true},
		"strict, without one":                {},
		"strict, an empty token":             {headers: bearer("")},
		"strict, a seller's token":           {token: operator, headers: bearer("calls-of-s1")},
		"strict, a notification token":       {token: operator, headers: bearer(tokenOf("s1"))},
		"strict, with one":                   {token: operator, headers: bearer(operator), let: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, func(c *ingest.Config) {
				c.Sellers, c.Workers = strictSellers(), false
				c.Sellers.Open, c.OperatorToken = tc.open, setting.NewSecret(tc.token)
			})
			for path, status := range paths {
				got := b.send(http.MethodGet, path, "", tc.headers...)
				if !tc.let {
					status = http.StatusUnauthorized
					require.Contains(t, got.member(t, "detail"), "ORDERLEDGER_INGEST_OPERATOR_TOKEN")
				}
				require.Equal(t, status, got.status, "%s: %s", path, got.body)
			}
			require.Equal(t, http.StatusUnauthorized, b.send(http.MethodGet, "/sellers/v3/shipments?shipmentIds=S1", "", bearer(operator)...).status)

			admin := service.NewAdmin(service.AdminConfig{}, nil, nil, nil)
			b.ingest.HandleOperations(admin)
			server := httptest.NewServer(admin.Handler())
			t.Cleanup(server.Close)
			b.url = server.URL
			for path, status := range paths {
				require.Equal(t, status, b.send(http.MethodGet, path, "").status, path)
			}
		})
	}
}

func TestConfigOperatorTokenIsItsOwn(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"calls-of-s1-and-more", tokenOf("s1")} {
		cfg := ingest.DefaultConfig()
		cfg.Lanes, cfg.Sellers, cfg.OperatorToken = 1, strictSellers(), setting.NewSecret(token)
		cfg.Sellers.Sellers[0].Token = "calls-of-s1-and-more"
		require.ErrorContains(t, cfg.Validate(), "it is a token of a seller too")
	}
}
