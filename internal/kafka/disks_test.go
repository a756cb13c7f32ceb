package kafka_test

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/disk"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// logDir is what a broker says about a log folder.
type logDir struct {
	usable, total int64
	err           *kerr.Error
}

// describing makes a cluster of one broker describe these log folders.
func describing(cluster *kfake.Cluster, dirs ...logDir) {
	cluster.ControlKey(int16(kmsg.DescribeLogDirs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
		for i, one := range dirs {
			dir := kmsg.NewDescribeLogDirsResponseDir()
			dir.Dir, dir.UsableBytes, dir.TotalBytes = string(rune('a'+i)), one.usable, one.total
			if one.err != nil {
				dir.ErrorCode = one.err.Code
			}
			resp.Dirs = append(resp.Dirs, dir)
		}
		return resp, nil, true // For one request only.
	})
}

func TestDisks(t *testing.T) {
	t.Parallel()
	const gb = 1 << 30
	space := logDir{usable: 10 * gb, total: 100 * gb}
	for name, c := range map[string]struct {
		dirs          []logDir
		full, suspect string // Texts; empty where nothing is said.
	}{
		"space":                    {dirs: []logDir{space}},
		"no broker says":           {dirs: []logDir{{total: -1, usable: -1}}},
		"full":                     {[]logDir{{usable: 0, total: gb}}, "a of broker 0", "0.0 MB of 1074 MB"},
		"hardly any space":         {[]logDir{{usable: 1000 << 10, total: gb}}, "1.0 MB of 1074 MB", "a of broker 0"},
		"offline":                  {[]logDir{{err: kerr.KafkaStorageError}}, "KAFKA_STORAGE_ERROR", "restart it"},
		"nearly full":              {[]logDir{{usable: 30 << 20, total: 100 * gb}}, "", "31.5 MB"},
		"one of two folders full":  {[]logDir{space, {usable: 0, total: gb}}, "", "b of broker 0"},
		"one full, one not saying": {[]logDir{{usable: 0, total: gb}, {usable: -1, total: -1}}, "a of broker 0", "a of broker 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, brokers := testkit.KafkaCluster(t)
			describing(cluster, c.dirs...)
			d, err := kafka.NewDisks(kafka.Options(testkit.KafkaConfig(brokers, 1)), testkit.Logger(t), nil)
			require.NoError(t, err)
			run(t, d.Run)
			testkit.Eventually(t, d.Looked, "it looks")
			for want, got := range map[string]error{c.full: d.Full(), c.suspect: d.Suspect()} {
				if want == "" {
					continue
				}
				require.ErrorContains(t, got, want)
				require.True(t, disk.Full(got))
			}
			if c.full == "" {
				require.NoError(t, d.Full())
			}
			if c.suspect == "" {
				require.NoError(t, d.Suspect())
			}
		})
	}
}

// run runs a unit until the test ends.
func run(t *testing.T, unit func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- unit(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
}

// A broker that ended because its disk was full says nothing any more: what it said last is the explanation.
func TestDisksKeepVerdictWithoutBroker(t *testing.T) {
	t.Parallel()
	cluster, brokers := testkit.KafkaCluster(t)
	describing(cluster, logDir{usable: 5 << 20, total: 1 << 30})
	reg := prometheus.NewRegistry()
	options := append(kafka.Options(testkit.KafkaConfig(brokers, 1)), kgo.RequestRetries(0))
	d, err := kafka.NewDisks(options, testkit.Logger(t), reg)
	require.NoError(t, err)
	run(t, d.Run)
	testkit.Eventually(t, func() bool { return d.Suspect() != nil }, "it is nearly full")
	families, err := reg.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, f := range families {
		values[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
	}
	require.Equal(t, map[string]float64{
		"orderledger_kafka_disk_usable_bytes": 5 << 20, "orderledger_kafka_disk_total_bytes": 1 << 30,
	}, values)
	cluster.Close()
	looks := d.Looks()
	testkit.Eventually(t, func() bool { return d.Looks() > looks+1 }, "it looks once more, and nobody answers")
	require.ErrorContains(t, d.Explain(t.Context()), "5.2 MB of 1074 MB")
}

// Who asks why a write failed gets a new look, not one of fifteen seconds ago.
func TestDisksExplainLooksAgain(t *testing.T) {
	t.Parallel()
	cluster, brokers := testkit.KafkaCluster(t)
	d, err := kafka.NewDisks(kafka.Options(testkit.KafkaConfig(brokers, 1)), testkit.Logger(t), nil)
	require.NoError(t, err)
	describing(cluster, logDir{usable: 1 << 30, total: 1 << 30})
	run(t, d.Run)
	testkit.Eventually(t, d.Looked, "it looks")
	require.NoError(t, d.Suspect())
	describing(cluster, logDir{usable: 0, total: 1 << 30})
	testkit.Eventually(t, func() bool { return d.Explain(t.Context()) != nil }, "the failure is explained")
	require.Error(t, d.Full())
	describing(cluster, logDir{usable: 1 << 30, total: 1 << 30})
	testkit.Eventually(t, func() bool { return d.Full() == nil && d.Suspect() == nil }, "there is space again")

	var unwatched *kafka.Disks
	require.NoError(t, unwatched.Full())
	require.NoError(t, unwatched.Explain(t.Context()))
}
