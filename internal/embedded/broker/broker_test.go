package broker_test

import (
	"bytes"
	"context"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/embedded/broker"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/testkit"
)

const topic = "orders.events.v1"

func config(dir string) broker.Config {
	return broker.Config{Addr: "127.0.0.1:0", DataDir: dir}
}

// start starts a broker that is closed when the test ends, with its topics.
func start(t *testing.T, cfg broker.Config) *broker.Broker {
	t.Helper()
	b := broker.New(cfg, testkit.Logger(t))
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	brokers := []string{b.Addr()}
	_, err := kafka.EnsureTopics(t.Context(), testkit.Client(t, brokers), testkit.KafkaConfig(brokers, 1), kafka.Embedded)
	require.NoError(t, err)
	return b
}

// write commits values in one transaction of an id.
func write(t *testing.T, b *broker.Broker, id string, values ...string) {
	t.Helper()
	client := testkit.Client(t, []string{b.Addr()}, kgo.TransactionalID(id), kgo.DefaultProduceTopic(topic))
	require.NoError(t, client.BeginTransaction())
	for _, v := range values {
		require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord(v)).FirstErr())
	}
	require.NoError(t, client.EndTransaction(t.Context(), kgo.TryCommit))
	client.Close()
}

// read returns all committed values.
func read(t *testing.T, b *broker.Broker) []string {
	t.Helper()
	client := testkit.Client(t, []string{b.Addr()}, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	ends, err := kadm.NewClient(client).ListCommittedOffsets(t.Context(), topic)
	require.NoError(t, err)
	end, _ := ends.Lookup(topic, 0)
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Limit)
	defer cancel()
	var values []string
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				values = append(values, string(r.Value))
			}
		})
	}
	client.Close()
	return values
}

func TestBrokerKeepsRecordsAcrossARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, config(dir))
	write(t, first, "a", "1", "2")
	require.NoError(t, first.Close())

	second := start(t, config(dir))
	require.False(t, second.Unclean())
	require.NotEqual(t, first.Boot(), second.Boot())
	require.Equal(t, []string{"1", "2"}, read(t, second))
}

// kfake would delete records after seven days, and offsets too.
func TestBrokerKeepsRecordsAndOffsets(t *testing.T) {
	t.Parallel()
	b := start(t, config(t.TempDir()))
	configs, err := kadm.NewClient(testkit.Client(t, []string{b.Addr()})).DescribeBrokerConfigs(t.Context())
	require.NoError(t, err)
	got := map[string]string{}
	for _, c := range configs[0].Configs {
		got[c.Key] = c.MaybeValue()
	}
	require.Equal(t, "-1", got["log.retention.ms"])
	require.Equal(t, "5256000", got["offsets.retention.minutes"], "ten years")
}

func TestBrokerRefusesAFolderInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, config(dir))
	second := broker.New(config(dir), testkit.Logger(t))
	require.ErrorContains(t, second.Start(t.Context()), "another process uses this folder")
	require.NoError(t, second.Close())

	write(t, first, "a", "1")
	require.Equal(t, []string{"1"}, read(t, first), "the first broker still works")
}

func TestBrokerLeavesFolderCleanWhenPortInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	taken := httptest.NewServer(nil)
	t.Cleanup(taken.Close)
	cfg := config(dir)
	cfg.Addr = taken.Listener.Addr().String()
	require.Error(t, broker.New(cfg, testkit.Logger(t)).Start(t.Context()))
	require.False(t, start(t, config(dir)).Unclean())
}

// A Close that could not write the log counts as an unclean stop at the next start.
func TestBrokerCloseErrorIsAnUncleanStop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := broker.New(config(dir), testkit.Logger(t))
	require.NoError(t, b.Start(t.Context()))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "log")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "log"), nil, 0o600))
	require.Error(t, b.Close())
	require.FileExists(t, filepath.Join(dir, "RUNNING"))
	require.NoError(t, os.Remove(filepath.Join(dir, "log")))
	require.True(t, start(t, config(dir)).Unclean())
}

// A log larger than the limit is refused after an unclean stop only.
func TestBrokerRefusesALogTooLargeToLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, config(dir))
	write(t, first, "a", "1")
	require.NoError(t, first.Close())
	small := config(dir)
	small.MaxLogBytes = 1
	second := start(t, small)
	require.Equal(t, []string{"1"}, read(t, second))
	require.NoError(t, second.Close())

	require.NoError(t, os.WriteFile(filepath.Join(dir, "RUNNING"), nil, 0o600))
	require.ErrorContains(t, broker.New(small, testkit.Logger(t)).Start(t.Context()), "larger than 0 MB, half of the memory")
	third := start(t, config(dir))
	require.True(t, third.Unclean(), "a refused start does not make the folder clean")
	require.Equal(t, []string{"1"}, read(t, third))
}

func TestBrokerReportsItsAdvertisedAddress(t *testing.T) {
	t.Parallel()
	cfg := config("")
	cfg.Advertise = "kafka.example:9092"
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", cfg.Addr)
	require.NoError(t, err)
	cfg.Addr = ln.Addr().String()
	require.NoError(t, ln.Close())

	b := broker.New(cfg, testkit.Logger(t))
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	require.Equal(t, cfg.Advertise, b.Addr())
	var asked []string
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		asked = append(asked, addr)
		return new(net.Dialer).DialContext(ctx, network, cfg.Addr)
	}
	client := testkit.Client(t, []string{cfg.Addr}, kgo.Dialer(dial))
	meta, err := kadm.NewClient(client).BrokerMetadata(t.Context())
	require.NoError(t, err)
	require.Equal(t, "kafka.example", meta.Brokers[0].Host)
	require.NotEmpty(t, asked)
}

func TestConfigExposesOnlyOnRequest(t *testing.T) {
	t.Parallel()
	require.NoError(t, broker.DefaultConfig().Validate())
	require.NoError(t, broker.Config{Addr: "localhost:9092"}.Validate())
	require.NoError(t, broker.Config{Addr: "[::1]:9092"}.Validate())
	require.ErrorContains(t, broker.Config{Addr: "0.0.0.0:9092"}.Validate(), "other machines could reach it")
	require.ErrorContains(t, broker.Config{Addr: ":9092"}.Validate(), "other machines could reach it")
	require.ErrorContains(t, broker.Config{Addr: "0.0.0.0:9092", Expose: true}.Validate(), "set the address to advertise")
	require.NoError(t, broker.Config{Addr: "0.0.0.0:9092", Expose: true, Advertise: "kafka:9092"}.Validate())
	require.ErrorContains(t, broker.Config{Addr: "nowhere", Advertise: "x"}.Validate(), "advertised")
}

func TestBrokerStartsOnceAndClosesInAnyState(t *testing.T) {
	t.Parallel()
	never := broker.New(config(""), testkit.Logger(t))
	require.NoError(t, never.Close())
	require.NoError(t, never.Close())
	require.Error(t, never.Start(t.Context()))

	ctx, cancel := context.WithCancel(t.Context())
	b := broker.New(config(t.TempDir()), testkit.Logger(t))
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	testkit.Eventually(t, func() bool { return b.Addr() != "" }, "the broker listens")
	require.Error(t, b.Start(t.Context()))
	cancel()
	require.NoError(t, <-ended)
	require.Empty(t, b.Addr())
}

func TestBootHandlerServesTheNonce(t *testing.T) {
	t.Parallel()
	b := broker.New(config(""), testkit.Logger(t))
	srv := httptest.NewServer(b.BootHandler())
	t.Cleanup(srv.Close)
	boot, err := kafka.BootNonce(t.Context(), srv.URL+"/boot")
	require.NoError(t, err)
	require.Equal(t, b.Boot(), boot)
}

// Whatever was acknowledged is in the files that Sync flushes.
func TestSyncFlushesTheFolder(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	b := broker.New(cfg, testkit.Logger(t))
	require.NoError(t, b.Sync(), "it has no folder before it starts")
	require.NoError(t, b.Start(t.Context()))
	kcfg := testkit.KafkaConfig([]string{b.Addr()}, 1)
	layout, err := kafka.EnsureLayout(t.Context(), testkit.Client(t, kcfg.Brokers), kcfg, kafka.Embedded)
	require.NoError(t, err)
	require.NoError(t, b.Sync())
	found := false
	require.NoError(t, filepath.WalkDir(cfg.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || bytes.Contains(data, []byte(layout.LedgerID))
		return err
	}))
	require.True(t, found, "the layout is in a file of the folder")
	require.NoError(t, b.Close())
	require.NoError(t, b.Sync(), "it has no folder after it stopped")
}

// A program that takes an embedded broker for a real cluster must notice it: it would take torn transactions for
// damage.
func TestChecksNoticeEmbeddedBroker(t *testing.T) {
	t.Parallel()
	b := broker.New(config(""), testkit.Logger(t))
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	boot := httptest.NewServer(b.BootHandler())
	t.Cleanup(boot.Close)
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	writer := kafka.Uses{TransactionalIDs: []string{"ledger-lane-0-Aa"}}
	for name, c := range map[string]struct {
		url, seen string
		uses      kafka.Uses
		level     preflight.Level
	}{
		"with its nonce":          {boot.URL, "the embedded Kafka has the boot nonce " + b.Boot(), writer, preflight.OK},
		"without a URL":           {"", "this Kafka is an embedded one, and no boot nonce is known", writer, preflight.Fail},
		"with a URL of something": {other.URL, "boot nonce of " + other.URL + ": answered 404", writer, preflight.Fail},
		"with a URL of nothing":   {"http://127.0.0.1:1/boot", "connection refused", writer, preflight.Fail},
		"without transactions":    {"", "", kafka.Uses{}, preflight.OK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testkit.KafkaConfig([]string{b.Addr()}, 1)
			cfg.BootURL = c.url
			checks := kafka.Checks(cfg, c.uses)
			found := false
			for _, l := range preflight.Run(t.Context(), checks) {
				if l.Check.Name != "kafka boot" {
					continue
				}
				found = true
				require.Equal(t, c.level, l.Level, l.Seen)
				require.Contains(t, l.Seen, c.seen)
				require.True(t, l.Check.Refuses, "the program must not start")
				if l.Level == preflight.Fail {
					require.Contains(t, l.Do, kafka.EnvBootURL)
				}
			}
			require.Equal(t, c.seen != "", found)
		})
	}
}
