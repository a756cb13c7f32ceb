package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/console"
	"github.com/orderledger/orderledger/internal/embedded/clickhouse"
	"github.com/orderledger/orderledger/internal/importer"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestUpAnnouncesPushes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	upOptions{}.announcePushes(console.Screen{Out: &out})
	require.Empty(t, out.String())
	upOptions{SuborderEndpoints: []string{"wms=http://127.0.0.1:9/hook?key=geheim", "http://127.0.0.1:9/x"}}.announcePushes(console.Screen{Out: &out})
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
		o, none := upOptions{Listen: tc.listen}, func(string) bool { return false }
		e := setting.NewReader(setting.Environment([]string{envOpen + "=" + tc.env}))
		o.readVariables(e, none)
		require.Empty(t, e.Problems())
		require.Equal(t, tc.open, o.Open, "%s %s", tc.listen, tc.env)
	}
	e := setting.NewReader(setting.Environment([]string{envOpen + "=perhaps"}))
	(&upOptions{}).readVariables(e, func(string) bool { return false })
	require.ErrorContains(t, errors.Join(e.Problems()...), envOpen)
}

func TestUpAnnouncesIntake(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]upOptions{
		"open: notifications need no credential": {Open: true},
		"closed: no seller has a credential":     {Sellers: []sellers.Seller{{ID: "a", Token: "t"}}},
		"strict: every notification needs":       {Sellers: []sellers.Seller{{ID: "a", NotificationToken: "0123456789abcdef"}}},
	} {
		var out bytes.Buffer
		o.announceIntake(console.Screen{Out: &out})
		require.Contains(t, out.String(), "intake      "+want)
	}
}

func TestUpFitsTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	screen := console.Screen{Out: &out, Width: 80}
	for _, o := range []upOptions{
		{Open: true}, {}, {Sellers: []sellers.Seller{{ID: "a", NotificationToken: "0123456789abcdef"}}},
	} {
		o.announceIntake(screen)
	}
	upOptions{SuborderEndpoints: []string{"wms=http://127.0.0.1:9/hook"}}.announcePushes(screen)
	announce(screen, servers{}, "127.0.0.1:18079", time.Now())
	announce(screen, servers{clickhouse: &clickhouse.Server{}}, "127.0.0.1:18080", time.Now())
	printResult(screen, "marketplace   250 shipments: ", importer.Result{
		Lines: 1197, Accepted: 1196, Refused: []importer.Refusal{{Line: 3, Status: 422, Reason: strings.Repeat("a long reason, ", 9)}},
	})
	require.Greater(t, strings.Count(out.String(), "\n"), 14, "texts are wrapped, not shortened")
	require.NotContains(t, out.String(), "…")
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, len(strings.TrimSuffix(line, "\n")), 80, line)
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
		"no address":          {[]string{"--listen", ""}, `--listen "": want host:port`},
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

// runUp runs up with its data in a folder that does not exist, and returns the error; the folder must not exist then
// either. Ports that flags do not set are free ones.
func runUp(t *testing.T, flags ...string) error {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	cmd := upCommand()
	cmd.SetArgs(append([]string{
		"--data", data, "--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0", "--clickhouse-listen", "127.0.0.1:0",
		"--clickhouse-http-listen", "127.0.0.1:0",
	}, flags...))
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	// A start that is not refused ends at once, and has made the folder.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := cmd.ExecuteContext(ctx)
	require.NoDirExists(t, data)
	return err
}

// Whatever the flags, one listener after the other would create its folder before the last one fails.
func TestUpCreatesNothingWithoutItsPorts(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	addr := taken.Addr().String()
	for _, flag := range []string{"--listen", "--kafka-listen", "--clickhouse-listen", "--clickhouse-http-listen"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			err := runUp(t, flag, addr)
			require.ErrorContains(t, err, flag+": listen tcp "+addr)
			require.ErrorContains(t, err, "stop the program that uses the address, or choose another")
		})
	}
	t.Run("an address that includes another one", func(t *testing.T) {
		t.Parallel()
		free, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := free.Addr().(*net.TCPAddr).Port
		require.NoError(t, free.Close())
		err = runUp(t, "--kafka-listen", fmt.Sprintf("127.0.0.1:%d", port), "--listen", fmt.Sprintf(":%d", port))
		require.ErrorIs(t, err, syscall.EADDRINUSE)
	})
	t.Run("an address of another machine", func(t *testing.T) {
		t.Parallel()
		err := runUp(t, "--listen", "192.0.2.1:8080")
		require.ErrorContains(t, err, "--listen: ")
		require.ErrorContains(t, err, "this machine does not have the address")
	})
	t.Run("a kafka address without a host", func(t *testing.T) {
		t.Parallel()
		require.ErrorContains(t, runUp(t, "--kafka-listen", "0.0.0.0:0"), "--kafka-listen \"0.0.0.0:0\": clients can't connect")
		require.ErrorContains(t, runUp(t, "--clickhouse-listen", ":9000"), "such as 127.0.0.1:9000")
	})
}

// The probe closes what it has opened, so another program may take an address between the probe and the servers.
func TestUpNamesAddressTakenAfterProbe(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	addr := taken.Addr().String()
	o := upOptions{Data: t.TempDir(), Only: onlyKafka, KafkaListen: addr, Listen: "127.0.0.1:0"}
	_, err = startServers(t.Context(), o, testkit.Logger(t), prometheus.NewRegistry())
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, o.explainListen(err), "--kafka-listen: embedded Kafka: ")
	require.ErrorContains(t, o.explainListen(err), "; stop the program that uses the address, or choose another")

	o = upOptions{Only: onlyKafka, KafkaListen: "127.0.0.1:0", Listen: addr}
	err = service.NewAdmin(service.AdminConfig{Addr: addr}, testkit.Logger(t), nil, nil).Run(t.Context())
	require.ErrorContains(t, o.explainListen(err), "--listen: listen: ")
	other := errors.New("of another kind")
	require.Equal(t, other, o.explainListen(other))
}

func TestUpNamesDataFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("mine"), 0o600))
	require.ErrorContains(t, runUp(t, "--data", file), "--data: "+file+" is a file, not a folder")
	require.ErrorContains(t, runUp(t, "--data", filepath.Join(file, "below")), "--data: ")
	require.ErrorContains(t, run(t.Context(), []string{"demo", "--data", file}), "--data: ")
}

// A sellers file that ingest would refuse is refused before the ledger is made.
func TestUpValidatesSellers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sellers.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"id":"a"},{"id":"a"}]`), 0o600))
	require.ErrorContains(t, runUp(t, "--sellers", file), "--sellers: "+file+": seller a: listed twice")
	require.ErrorContains(t, runUp(t, "--suborder-endpoint", "a=http://x/1", "--suborder-endpoint", "a=http://x/2"),
		"endpoint a is configured twice")
}

// A problem names the variable, if that gave the value.
func TestUpNamesVariables(t *testing.T) {
	t.Parallel()
	e := setting.NewReader(setting.Environment([]string{
		envSellers + "=/not/there", envSuborderSecret + "=short", envOperator + "=short",
	}))
	o := upOptions{Data: t.TempDir(), Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0", Only: onlyKafka}
	o.readVariables(e, func(string) bool { return false })
	require.Empty(t, e.Problems())
	err := o.validate()
	for _, want := range []string{envSellers + ": open", envSuborderSecret + ": "} {
		require.ErrorContains(t, err, want)
	}
	o.SellersFile = ""
	require.ErrorContains(t, o.validate(), envOperator+": a token of 5 bytes")
}

// ingest beside `up --only kafka` has the default port of the API.
func TestUpOnlyKafkaLeavesPortOfIngest(t *testing.T) {
	t.Parallel()
	o := upOptions{Only: onlyKafka, KafkaListen: "127.0.0.1:0"}
	o.defaultListen(func(string) bool { return false })
	require.Equal(t, onlyListen, o.Listen)
	require.NotEqual(t, ingest.DefaultConfig().Addr, o.Listen)
	o.Listen = "127.0.0.1:7777"
	o.defaultListen(func(flag string) bool { return flag == "listen" })
	require.Equal(t, "127.0.0.1:7777", o.Listen, "a flag decides")
	o = upOptions{}
	o.defaultListen(func(string) bool { return false })
	require.Equal(t, apiListen, o.Listen, "up itself serves the API there")
	require.Equal(t, apiListen[strings.Index(apiListen, ":"):], ingest.DefaultConfig().Addr[strings.Index(ingest.DefaultConfig().Addr, ":"):])
	page, err := os.ReadFile("../../docs/embedded.md")
	require.NoError(t, err)
	require.Contains(t, string(page), "`"+onlyListen+"`")
}

// A flag whose default depends on another flag has one text about it, not a second default from the library.
func TestUpHelpShowsOneDefault(t *testing.T) {
	t.Parallel()
	for line := range strings.Lines(upCommand().Flags().FlagUsagesWrapped(0)) {
		require.LessOrEqual(t, strings.Count(line, "default"), 1, line)
	}
	listen := upCommand().Flag("listen").Usage
	require.Contains(t, listen, apiListen)
	require.Contains(t, listen, onlyListen)
}
