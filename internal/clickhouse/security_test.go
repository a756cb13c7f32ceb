package clickhouse_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/projections"
)

// terminate speaks TLS in front of a server that does not, and returns its address.
func terminate(t *testing.T, behind string, cfg *tls.Config) string {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	require.NoError(t, err)
	var open sync.WaitGroup
	t.Cleanup(func() { _ = ln.Close(); open.Wait() })
	open.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			open.Go(func() { join(client, behind) })
		}
	})
	return ln.Addr().String()
}

// join copies both ways until one end closes.
func join(client net.Conn, addr string) {
	defer client.Close()
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return
	}
	defer server.Close()
	if err := translate(client, server); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// The user that the terminator accepts. The server behind it has only a default user, without a password.
const user, password = "ledger", "right-secret"

// translate forwards the hello of the client. It replaces the right user and password with those of the server, and
// makes all others wrong.
func translate(client io.Reader, server io.Writer) error {
	r := proto.NewReader(client)
	var hello proto.ClientHello
	if code, err := r.UVarInt(); err != nil || proto.ClientCode(code) != proto.ClientCodeHello {
		return errors.Join(errors.New("no hello"), err)
	}
	if err := hello.Decode(r); err != nil {
		return err
	}
	if hello.User == user && hello.Password == password {
		hello.User, hello.Password = "default", ""
	} else {
		hello.Password += " is wrong"
	}
	// Nothing is left in the reader: a client waits for the answer to its hello.
	var b proto.Buffer
	hello.Encode(&b)
	_, err := server.Write(b.Buf)
	return err
}

// secured creates a database behind TLS and a user, and returns its configuration.
func secured(t *testing.T) clickhouse.Config {
	t.Helper()
	addr, database := testkit.ClickHouse(t)
	ca := testkit.NewAuthority(t)
	server := ca.Server()
	server.ClientAuth = tls.VerifyClientCertIfGiven
	cfg := clickhouse.DefaultConfig()
	cfg.Addrs, cfg.Database = []string{terminate(t, addr, server)}, database
	cfg.TLS = setting.TLS{On: true, CAFile: ca.File}
	cfg.User, cfg.Password = user, setting.NewSecret(password)
	require.NoError(t, cfg.Validate())
	return cfg
}

func TestClickHouseOverTLSWithAUser(t *testing.T) {
	t.Parallel()
	cfg := secured(t)
	require.NoError(t, clickhouse.Migrate(t.Context(), cfg, slog.New(slog.DiscardHandler), projections.Migrations()))
	pool, err := clickhouse.Open(cfg)
	require.NoError(t, err)
	defer pool.Close()
	require.NoError(t, pool.Exec(t.Context(), "CREATE TABLE numbers (n UInt64) ENGINE = MergeTree ORDER BY n"))

	inserter := clickhouse.NewInserter(cfg)
	defer inserter.Close()
	n := proto.ColUInt64{1, 2, 3}
	table := clickhouse.Table{Name: "numbers", Columns: proto.Input{{Name: "n", Data: &n}}}
	require.NoError(t, inserter.Insert(t.Context(), &table, "token"))
	var rows uint64
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count() FROM numbers").Scan(&rows))
	require.EqualValues(t, 3, rows)
}

func TestConnectionErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	cfg := secured(t)
	require.NoError(t, clickhouse.Migrate(t.Context(), cfg, slog.New(slog.DiscardHandler), projections.Migrations()))
	let := clickhouse.NewInserter(cfg)
	_, err := let.MaxOffset(t.Context(), "events", 0)
	require.NoError(t, errors.Join(err, let.Close()), "the right user gets an answer to the query below")
	for name, c := range map[string]struct {
		change func(*clickhouse.Config)
		want   string
	}{
		"unknown authority": {func(c *clickhouse.Config) { c.TLS.CAFile = testkit.NewAuthority(t).File }, "ORDERLEDGER_CLICKHOUSE_TLS_CA"},
		"another name":      {func(c *clickhouse.Config) { c.TLS.ServerName = "db.example" }, "ORDERLEDGER_CLICKHOUSE_TLS_SERVER_NAME"},
		"plain text":        {func(c *clickhouse.Config) { c.TLS = setting.TLS{} }, "ORDERLEDGER_CLICKHOUSE_TLS"},
		"nothing there":     {func(c *clickhouse.Config) { c.Addrs = []string{"127.0.0.1:1"} }, "nothing listens there"},
		"wrong password":    {func(c *clickhouse.Config) { c.Password = setting.NewSecret("wrong-secret") }, "ORDERLEDGER_CLICKHOUSE_PASSWORD"},
		"no password":       {func(c *clickhouse.Config) { c.Password = setting.Secret{} }, "ORDERLEDGER_CLICKHOUSE_PASSWORD"},
		"unknown user":      {func(c *clickhouse.Config) { c.User = "nobody" }, `refused user "nobody"`},
	} {
		wrong := cfg
		c.change(&wrong)
		f := found(t, wrong)["clickhouse servers"]
		require.Equal(t, preflight.Fail, f.Level, name)
		require.Contains(t, f.Do, c.want, "%s: %s", name, f.Seen)
		for _, secret := range []string{"wrong-secret", password} {
			require.NotContains(t, f.Seen, secret)
		}
		inserter := clickhouse.NewInserter(wrong)
		_, err := inserter.MaxOffset(t.Context(), "events", 0)
		require.Error(t, err, "%s: the inserter uses the same connection", name)
	}
}
