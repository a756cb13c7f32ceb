package kafka_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/kafka"
)

func TestConfigReportsAllProblems(t *testing.T) {
	t.Parallel()
	require.NoError(t, kafka.DefaultConfig().Validate())
	err := kafka.Config{
		Brokers: []string{"nowhere"}, Cluster: "a b", Lanes: 5000, Replication: 1, MinISR: 2, BootURL: "here", Timeout: -1,
	}.Validate()
	for _, want := range []string{
		kafka.EnvBrokers, kafka.EnvCluster, kafka.EnvLanes, kafka.EnvMinISR, kafka.EnvBootURL, "timeout",
	} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, kafka.Config{Cluster: "x"}.Validate(), "at least one")
}
