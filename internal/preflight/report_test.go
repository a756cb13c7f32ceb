package preflight_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/preflight"
)

func finds(f ...preflight.Finding) func(context.Context) []preflight.Finding {
	return func(context.Context) []preflight.Finding { return f }
}

func TestRunReportsEveryCheck(t *testing.T) {
	t.Parallel()
	report := preflight.Run(t.Context(), []preflight.Check{
		{Name: "servers", Run: finds(preflight.Failure("start it", "a:1 does not answer"), preflight.Good("b:1"))},
		{Name: "tables", Needs: "servers", Run: finds(preflight.Good("never asked"))},
		{Name: "rows", Needs: "tables", Run: finds(preflight.Good("never asked"))},
		{Name: "clock", Run: finds(preflight.Warning("", "slow"))},
	})
	var out bytes.Buffer
	require.NoError(t, report.Print(&out))
	require.Equal(t, `FAIL  servers  a:1 does not answer
               -> start it
ok    servers  b:1
skip  tables   skipped, because servers failed
skip  rows     skipped, because tables failed
warn  clock    slow
`, out.String())
	require.Equal(t, 1, report.Failed())
}

// Only a failure that would lose or reorder data keeps a program from starting.
func TestStartRefusesOnlyDangerousFailures(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	bearable := preflight.Check{Name: "reads", Run: finds(preflight.Failure("wait", "no tables"))}
	require.NoError(t, preflight.Run(t.Context(), []preflight.Check{bearable}).Start(t.Context(), log))
	require.Contains(t, out.String(), `level=WARN msg="start-up check" check=reads result=FAIL seen="no tables" do=wait`)

	unbearable := preflight.Check{Name: "elections", Refuses: true, Run: finds(preflight.Failure("set it", "unclean"), preflight.Warning("look", "odd"))}
	err := preflight.Run(t.Context(), []preflight.Check{bearable, unbearable}).Start(t.Context(), log)
	require.EqualError(t, err, "elections: unclean; set it")
	require.Contains(t, out.String(), "seen=odd", "a warning of the same check is a line")
}

func TestClockAllowsForUncertainty(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ahead, uncertainty time.Duration
		level              preflight.Level
		seen               string
	}{
		{5 * time.Millisecond, time.Millisecond, preflight.OK, "this machine is 5ms behind the server (± 1ms)"},
		{-5 * time.Second, 4500 * time.Millisecond, preflight.OK, "this machine is 5s ahead of the server (± 4.5s)"},
		{-5 * time.Second, time.Second, preflight.Warn, "ahead of"},
		{2 * time.Minute, time.Second, preflight.Fail, "2m0s behind"},
		{-2 * time.Minute, time.Second, preflight.Fail, "more than 1m0s"},
	} {
		f := preflight.Clock("the server", c.ahead, c.uncertainty)
		require.Equal(t, c.level, f.Level, f.Seen)
		require.Contains(t, f.Seen, c.seen)
	}
}
