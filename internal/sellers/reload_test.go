package sellers_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestReloader(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sellers.json")
	write := func(text string) {
		require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	const first = `[{"id":"a","token":"t1"},{"id":"b","token":"t2"}]`
	write(first)
	list, err := sellers.Unmarshal([]byte(first))
	require.NoError(t, err)
	extra := []sellers.Seller{{ID: "demo", Token: "t3"}}
	started := sellers.Config{Sellers: append(list, extra...), Open: true}
	live, reg := sellers.NewLive(started), prometheus.NewPedanticRegistry()
	reloader, err := sellers.NewReloader(sellers.Reload{
		Path: path, Started: started, Extra: extra, Live: live, Log: testkit.Logger(t), Registerer: reg,
		Every: time.Millisecond,
	})
	require.NoError(t, err)
	metric := func(name, result string) float64 {
		families, err := reg.Gather()
		require.NoError(t, err)
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == "orderledger_sellers_"+name && (result == "" || m.GetLabel()[0].GetValue() == result) {
					return m.GetGauge().GetValue() + m.GetCounter().GetValue()
				}
			}
		}
		t.Fatalf("no %s", name)
		return 0
	}
	require.Zero(t, metric("reloads_total", "refused"), "the series exists before the first refusal")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- reloader.Run(ctx) }()

	began := live.Current()
	write(`[{"id":"a","token":"t4","own":true}]`)
	testkit.Eventually(t, func() bool { return live.Current().Find("b") == nil }, "the removed seller is unknown")
	require.Nil(t, live.Current().Authenticate("t1"), "the removed token is unknown")
	require.Equal(t, "a", live.Current().Authenticate("t4").ID)
	require.Equal(t, "demo", live.Current().Authenticate("t3").ID, "sellers beside the file stay")
	require.True(t, live.Current().Open(), "everything else stays as it was")
	require.True(t, live.Policy("a", "").Own)
	require.Equal(t, "b", began.Authenticate("t2").ID, "a request in flight keeps its sellers")
	require.InDelta(t, time.Now().Unix(), metric("last_load_timestamp_seconds", ""), 60)
	testkit.Eventually(t, func() bool { return metric("reloads_total", "loaded") == 1 }, "counted")

	good := live.Current()
	for i, broken := range []string{`[{"id":"a"`, `[{"id":"a","tokn":"t5"}]`, `[{"id":"a"},{"id":"a"}]`, ``} {
		write(broken)
		testkit.Eventually(t, func() bool { return metric("reloads_total", "refused") == float64(i+1) }, broken)
		require.InDelta(t, 1, metric("file_refused", ""), 0)
		require.Same(t, good, live.Current(), "the last good file stays in force")
	}
	require.NoError(t, os.Remove(path))
	testkit.Eventually(t, func() bool { return metric("reloads_total", "refused") == 5 }, "a missing file is refused")
	write(`[{"id":"c","token":"t6"}]`)
	testkit.Eventually(t, func() bool { return live.Current().Find("c") != nil }, "a repaired file is loaded")
	testkit.Eventually(t, func() bool { return metric("reloads_total", "loaded") == 2 }, "counted")
	require.Zero(t, metric("file_refused", ""))
	cancel()
	require.NoError(t, <-ended)
}
