package main

import (
	"bytes"
	"path/filepath"
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

// Everything is checked before anything is created: a ledger with a number of lanes that nobody meant can't be changed.
func TestUpRefusesBadFlags(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags []string
		says  string
	}{
		"negative lanes":      {[]string{"--lanes", "-3"}, "--lanes -3: want 1 to"},
		"too many lanes":      {[]string{"--lanes", "5000"}, "--lanes 5000"},
		"lanes in words":      {[]string{"--lanes", "ten"}, "--lanes"},
		"a port out of range": {[]string{"--listen", "127.0.0.1:99999"}, `--listen "127.0.0.1:99999"`},
		"no port":             {[]string{"--kafka-listen", "localhost"}, "--kafka-listen"},
		"a native address":    {[]string{"--clickhouse-listen", "x:y:z"}, "--clickhouse-listen"},
		"an HTTP address":     {[]string{"--clickhouse-http-listen", ":-1"}, "--clickhouse-http-listen"},
		"negative memory":     {[]string{"--clickhouse-memory", "-1"}, "--clickhouse-memory -1"},
		"an endpoint":         {[]string{"--suborder-endpoint", "nowhere"}, "--suborder-endpoint"},
		"a scheme":            {[]string{"--suborder-endpoint", "ftp://x"}, "url is not http(s)://host"},
		"an endpoint's port":  {[]string{"--suborder-endpoint", "http://127.0.0.1:99999/x"}, "port 99999 of the url"},
		"an address twice":    {[]string{"--listen", "127.0.0.1:9092", "--kafka-listen", "127.0.0.1:9092"}, "--listen has this"},
		"a secret":            {[]string{"--suborder-secret", "short"}, "--suborder-secret"},
		"a sellers file":      {[]string{"--sellers", "/nowhere/sellers.json"}, "--sellers"},
		"a server":            {[]string{"--only", "redis"}, "--only redis"},
		"a stray argument":    {[]string{"please"}, "please"},
		"an unknown flag":     {[]string{"--lane", "3"}, "--lane"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "data")
			cmd := upCommand()
			cmd.SetArgs(append([]string{"--data", data}, c.flags...))
			cmd.SilenceUsage, cmd.SilenceErrors = true, true
			require.ErrorContains(t, cmd.ExecuteContext(t.Context()), c.says)
			require.NoDirExists(t, data)
		})
	}
}
