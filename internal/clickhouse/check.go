package clickhouse

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/setting"
)

// The oldest ClickHouse with JSON columns, which the tables need, and the release line that the tests use.
const (
	oldestMajor, oldestMinor = 25, 3
	testedMajor, testedMinor = 26, 7
)

const (
	checkServers = "clickhouse servers"
	// CheckVersion is the name of the check that every further question to the server needs.
	CheckVersion = "clickhouse version"
)

// Checks returns the start-up checks of ClickHouse. A program that only reads passes the migrations as reads; one that
// fills the tables passes those that it applies as writes. The checks change nothing.
func Checks(cfg Config, reads, writes fs.FS) []preflight.Check {
	i := &inspector{cfg: cfg}
	// An older server may not understand the queries of the other checks, or may answer them differently.
	needs := func(name string, run func(context.Context, driver.Conn) []preflight.Finding) preflight.Check {
		return preflight.Check{Name: name, Needs: CheckVersion, Run: i.connected(run)}
	}
	checks := []preflight.Check{
		{Name: checkServers, Run: i.servers},
		{Name: "clickhouse security", Run: i.security},
		{Name: CheckVersion, Needs: checkServers, Refuses: writes != nil, Run: i.connected(i.version)},
		needs("clickhouse rights", i.rights(writes != nil)),
		needs("clickhouse migrations", i.migrations(reads, writes)),
		needs("clickhouse clock", i.clock),
	}
	if writes != nil {
		settings := needs("clickhouse settings", i.settings)
		settings.Refuses = true
		checks = append(checks, settings)
	}
	return checks
}

// inspector runs the checks on one ClickHouse.
type inspector struct{ cfg Config }

// servers connects to each address. One that answers is enough.
func (i *inspector) servers(ctx context.Context) []preflight.Finding {
	return preflight.AnyOf(i.cfg.Addrs, func(addr string) (string, *preflight.Finding) {
		one := i.cfg
		one.Addrs = []string{addr}
		if err := ping(ctx, one); err != nil {
			f := preflight.Failure(i.cfg.advice(err), "%s: %v", addr, err)
			return "", &f
		}
		return addr, nil
	}, func(good []string) preflight.Finding {
		return preflight.Good("%s answered", strings.Join(good, ", "))
	})
}

func ping(ctx context.Context, cfg Config) error {
	// The database of the ledger may not exist yet.
	conn, err := open(cfg, "default")
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // Nothing is left to lose.
	return conn.Ping(ctx)
}

// Explain adds to a connection error what to do about it, when that is known.
func (c Config) Explain(err error) error {
	if do := c.advice(err); err != nil && do != "" {
		return fmt.Errorf("%w; %s", err, do)
	}
	return err
}

func (c Config) advice(err error) string {
	switch {
	case hasCode(err, codeAuthentication), hasCode(err, codeWrongPassword), hasCode(err, codeUnknownUser):
		return fmt.Sprintf("the server refused user %q: check %s and %s", c.user(), EnvUser, EnvPassword)
	case isEOF(err):
		return "the server closed the connection: is this the port of the native protocol, and does it require TLS (" +
			envPrefix + "_TLS)?"
	}
	do := setting.Advice(err, envPrefix)
	if setting.IsTimeout(err) {
		do += " Is it the port of the native protocol (9000, not 8123)?"
	}
	return do
}

func (i *inspector) security(context.Context) []preflight.Finding {
	switch {
	case i.cfg.TLS.On:
		return []preflight.Finding{preflight.Good("TLS, as %s", i.cfg.user())}
	case !i.cfg.Password.IsZero() && !i.cfg.local():
		return []preflight.Finding{preflight.Warning("set "+envPrefix+"_TLS=true and use the server's TLS port (9440)",
			"the password of %s is sent in plain text", i.cfg.user())}
	}
	return []preflight.Finding{preflight.Good("plain text, as %s", i.cfg.user())}
}

// connected runs a check with a connection of its own.
func (i *inspector) connected(
	run func(context.Context, driver.Conn) []preflight.Finding,
) func(context.Context) []preflight.Finding {
	return func(ctx context.Context) []preflight.Finding {
		conn, err := open(i.cfg, "default")
		if err != nil {
			return i.unknown(err)
		}
		defer conn.Close() //nolint:errcheck // Nothing is left to lose.
		return run(ctx, conn)
	}
}

// unknown is the finding for a query that failed: a warning, because it proves nothing.
func (i *inspector) unknown(err error) []preflight.Finding {
	return []preflight.Finding{preflight.Warning(i.cfg.advice(err), "could not be checked: %v", err)}
}

func (i *inspector) version(_ context.Context, conn driver.Conn) []preflight.Finding {
	v, err := conn.ServerVersion()
	if err != nil {
		return i.unknown(err)
	}
	is := fmt.Sprintf("%d.%d.%d", v.Version.Major, v.Version.Minor, v.Version.Patch)
	older := func(major, minor uint64) bool {
		return v.Version.Major < major || v.Version.Major == major && v.Version.Minor < minor
	}
	switch {
	case older(oldestMajor, oldestMinor):
		return []preflight.Finding{preflight.Failure(fmt.Sprintf("upgrade it to %d.%d or newer", testedMajor, testedMinor),
			"%s has no JSON columns, which the tables need", is)}
	case older(testedMajor, testedMinor):
		return []preflight.Finding{preflight.Warning(fmt.Sprintf("upgrade it to %d.%d or newer", testedMajor, testedMinor),
			"%s is older than the tested version", is)}
	}
	return []preflight.Finding{preflight.Good("%s", is)}
}

func (i *inspector) clock(ctx context.Context, conn driver.Conn) []preflight.Finding {
	var ms int64
	before := time.Now()
	if err := conn.QueryRow(ctx, "SELECT toUnixTimestamp64Milli(now64(3))").Scan(&ms); err != nil {
		return i.unknown(err)
	}
	trip := time.Since(before)
	return []preflight.Finding{preflight.Clock("the server", time.UnixMilli(ms).Sub(before.Add(trip/2)), trip/2)}
}
