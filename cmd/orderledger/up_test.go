package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/sellers"
)

func TestUpAnnouncesPushes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	upOptions{}.announcePushes(&out)
	require.Empty(t, out.String())
	upOptions{SuborderEndpoints: []string{"wms=http://127.0.0.1:9/hook?key=geheim", "http://127.0.0.1:9/x"}}.announcePushes(&out)
	require.Equal(t, "pushes      wms gets every message, of all sellers, locations and channels, from the first\n"+
		"pushes      127.0.0.1-9-x gets every message, of all sellers, locations and channels, from the first\n", out.String())
}

func TestUpOpenByDefault(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		listen, env string
		open        bool
	}{
		{"127.0.0.1:8080", "", true},
		{"[::1]:8080", "", true},
		{"localhost:8080", "", true},
		{"127.0.0.1:8080", "false", false},
		{"0.0.0.0:8080", "", false},
		{":8080", "", false},
		{"10.0.0.7:8080", "", false},
		{"orders.example:8080", "", false},
		{"0.0.0.0:8080", "true", true},
	} {
		o := upOptions{Listen: tc.listen}
		require.NoError(t, o.openByDefault(func(string) string { return tc.env }))
		require.Equal(t, tc.open, o.Open, "%s %s", tc.listen, tc.env)
	}
	o := upOptions{}
	require.ErrorContains(t, o.openByDefault(func(string) string { return "perhaps" }), envOpen)
}

func TestUpAnnouncesIntake(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]upOptions{
		"open: notifications need no credential": {Open: true},
		"closed: no seller has a credential":     {Sellers: []sellers.Seller{{ID: "a", Token: "t"}}},
		"strict: every notification needs":       {Sellers: []sellers.Seller{{ID: "a", NotificationToken: "0123456789abcdef"}}},
	} {
		var out bytes.Buffer
		o.announceIntake(&out)
		require.Contains(t, out.String(), "intake      "+want)
	}
}
