package sellers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestDirectory(t *testing.T) {
	t.Parallel()
	list, err := sellers.Unmarshal([]byte(`[
		{"id":"a","token":"t1","tokens":["t2"],"own":true,"packWithinSeconds":60,"locations":[{"id":"L1"}]},
		{"id":"b","appId":"app","notificationSecret":"s","cancelledBy":{"bored":"customer"}}]`))
	require.NoError(t, err)
	cfg := sellers.Config{Sellers: list, Default: sellers.PolicyConfig{Fulfilment: "self_ship"}}
	require.NoError(t, cfg.Validate())
	d := sellers.New(cfg)

	require.Equal(t, "a", d.Authenticate("t1").ID)
	require.Equal(t, "a", d.Authenticate("t2").ID)
	require.Nil(t, d.Authenticate("t"))
	require.Nil(t, d.Authenticate(""))
	require.Equal(t, "L1", d.Find("a").Location("L1").ID)
	require.Empty(t, d.Find("a").Location("L2").ID)
	require.Nil(t, d.Find("c"))
	require.True(t, d.Signs())
	require.Equal(t, "b", d.FindByApp("app").ID)
	require.Nil(t, d.FindByApp(""), "no seller without a secret is found by its application")

	require.True(t, d.Policy("a", "").Own)
	require.Equal(t, time.Minute, d.Policy("a", "").PackWithin)
	require.Equal(t, ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER, d.Policy("b", "").CancelledBy["bored"])
	require.Equal(t, ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP, d.Policy("c", "").Fulfilment)

	require.True(t, d.Accepts("c"))
	cfg.Strict = true
	strict := sellers.New(cfg)
	require.True(t, strict.Accepts("a"))
	require.False(t, strict.Accepts("c"))
}

func TestConfigReportsEveryProblem(t *testing.T) {
	t.Parallel()
	err := sellers.Config{
		Default: sellers.PolicyConfig{Fulfilment: "pigeon", PackWithinSeconds: -1},
		Sellers: []sellers.Seller{
			{ID: "a", Token: "one-token"},
			{ID: "a"},
			{},
			{ID: "b", Tokens: []string{"one-token"}},
			{ID: "c", PolicyConfig: sellers.PolicyConfig{CancelledBy: map[string]string{"bored": "nobody"}}},
		},
	}.Validate()
	for _, want := range []string{
		`fulfilment "pigeon"`, "want 0 or more", "seller a: listed twice", "seller 2: an id is needed",
		"seller b: a token of seller a", `cancelled by "nobody"`,
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "one-token")
	_, err = sellers.Unmarshal([]byte(`[{"id":"a","tokn":"x"}]`))
	require.ErrorContains(t, err, "tokn")
}
