package sellers_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestDirectory(t *testing.T) {
	t.Parallel()
	list, err := sellers.Unmarshal([]byte(`[
		{"id":"a","token":"t1","tokens":["t2"],"own":true,"packWithinSeconds":60,"locations":[{"id":"L1"},{"id":"L2","fulfilment":"self_ship"}]},
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
	require.Empty(t, d.Find("a").Location("L3").ID)
	require.Nil(t, d.Find("c"))
	require.True(t, d.Protects())
	require.True(t, d.Protected("b"))
	require.False(t, d.Protected("a"))
	require.False(t, d.Protected("c"))

	require.True(t, d.Policy("a", "").Own)
	require.Equal(t, time.Minute, d.Policy("a", "").PackWithin)
	require.Equal(t, ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER, d.Policy("b", "").CancelledBy["bored"])
	require.Equal(t, ledgerv1.CancelledBy_CANCELLED_BY_SELLER, d.Policy("b", "").CancelledBy["seller_cancellation"],
		"configured reasons add to the known ones")
	require.Equal(t, ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP, d.Policy("c", "").Fulfilment)
	for at, want := range map[string]ledgerv1.Fulfilment{
		"": ledgerv1.Fulfilment_FULFILMENT_STANDARD, "L1": ledgerv1.Fulfilment_FULFILMENT_STANDARD,
		"L2": ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP, "L3": ledgerv1.Fulfilment_FULFILMENT_STANDARD,
	} {
		require.Equal(t, want, d.Policy("a", at).Fulfilment, "the location's fulfilment holds before the seller's")
	}

	require.False(t, d.Open())
}

// The marketplace reports no date for the pickup of a return, so every seller has one.
func TestPolicyReversePickup(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, tc := range map[string]struct {
		days int
		want time.Duration
	}{
		"a seller that says nothing":      {0, 7 * day},
		"a seller with a time of its own": {3, 3 * day},
		"a number that would overflow":    {math.MaxInt, 3650 * day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := sellers.PolicyConfig{ReversePickupDays: tc.days}
			d := sellers.New(sellers.Config{Default: policy, Sellers: []sellers.Seller{{ID: "a", PolicyConfig: policy}}})
			require.Equal(t, tc.want, d.Policy("a", "").ReversePickupWithin)
			require.Equal(t, tc.want, d.Policy("not listed", "").ReversePickupWithin)
		})
	}
}

func TestCredential(t *testing.T) {
	t.Parallel()
	const both, one = "a-token-of-both-sellers", "a-token-of-b-alone"
	cfg := sellers.Config{Sellers: []sellers.Seller{
		{ID: "a", AppID: "app", NotificationSecret: "s", NotificationToken: both},
		{ID: "b", AppID: "app", NotificationSecret: "s", NotificationTokens: []string{one, both, both}},
		{ID: "c", Token: "calls"},
	}}
	require.NoError(t, cfg.Validate())
	d := sellers.New(cfg)
	require.Equal(t, []string{"a", "b"}, d.App("app").IDs())
	require.Equal(t, "app/app", d.App("app").Name)
	require.Empty(t, d.App("app").Only())
	require.Nil(t, d.App(""), "a seller without an application has none")
	require.Equal(t, []string{"a", "b"}, d.NotificationToken(both).IDs())
	require.Equal(t, "b", d.NotificationToken(one).Only())
	require.True(t, d.NotificationToken(one).Includes("b"))
	require.False(t, d.NotificationToken(one).Includes("a"))
	require.NotContains(t, d.NotificationToken(one).Name, one)
	require.Nil(t, d.NotificationToken("calls"), "a token of calls proves no notification")
	require.Nil(t, d.Authenticate(one), "a notification token makes no calls")
	require.NotContains(t, fmt.Sprintf("%+v %#v", cfg.Sellers[0], cfg.Sellers[1]), "a-token")
}

func TestConfigReportsEveryProblem(t *testing.T) {
	t.Parallel()
	err := sellers.Config{
		Default: sellers.PolicyConfig{Fulfilment: "pigeon", PackWithinSeconds: -1, ReversePickupDays: 106_752},
		Sellers: []sellers.Seller{
			{ID: "a", Token: "one-token"},
			{ID: "a"},
			{},
			{ID: "b", Tokens: []string{"one-token"}},
			{ID: "d,e"},
			{ID: "f", AppID: "app"},
			{ID: "g", AppID: "app1", NotificationSecret: "one"},
			{ID: "h", AppID: "app1", NotificationSecret: "two", NotificationToken: "short", NotificationTokens: []string{"token-of-calls-of-i"}},
			{ID: "i", Token: "token-of-calls-of-i"},
			{ID: "j", Locations: []sellers.Location{{Location: marketplace.Location{ID: "L1"}, Fulfilment: "drone"}}},
			{ID: "c", PolicyConfig: sellers.PolicyConfig{CancelledBy: map[string]string{"bored": "nobody"}}},
		},
	}.Validate()
	for _, want := range []string{
		`fulfilment "pigeon"`, "packWithinSeconds is -1: want 0 to 315360000",
		"reversePickupDays is 106752: want 0 to 3650", "seller a: listed twice", "entry 3 of the sellers file: an id is needed",
		"seller b: has a token of seller a", "seller d,e: an id has no comma", "seller f: appId and notificationSecret",
		"seller h: the application app1 has another notificationSecret at seller g", "has 5 bytes",
		"a notification token is a token for the calls of seller i", `cancelled by "nobody"`,
		`seller j: location L1: fulfilment "drone"`,
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "one-token")
	_, err = sellers.Unmarshal([]byte(`[{"id":"a","tokn":"x"}]`))
	require.EqualError(t, err, `line 1, column 12: unknown member "tokn"; is it "token"?`)
	_, err = sellers.Unmarshal([]byte(`[{"id":"a"}] [{"id":"b"}]`))
	require.ErrorContains(t, err, "want the end of the file", "sellers behind it would be left out silently")
}

// A credential with too many sellers is refused, because its notifications could not be delivered.
func TestConfigBoundsCredential(t *testing.T) {
	t.Parallel()
	of := func(n int) sellers.Config {
		var c sellers.Config
		for i := range n {
			c.Sellers = append(c.Sellers, sellers.Seller{
				ID: fmt.Sprintf("seller-%08d", i), AppID: "app", NotificationSecret: "secret", NotificationToken: "a-notification-token",
			})
		}
		return c
	}
	require.NoError(t, of(4096).Validate(), "65535 bytes")
	err := of(4097).Validate()
	require.ErrorContains(t, err, "credential app/app: the ids of its 4097 sellers have 65551 bytes: want 65536 or fewer")
	require.ErrorContains(t, err, "credential token/")
	require.NotContains(t, err.Error(), "a-notification-token")
}
