package main

import (
	"io"
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// An instance that can't listen must not take lanes from others first.
func TestRunRefusesAddressInUse(t *testing.T) {
	t.Parallel()
	other, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer other.Close()
	cluster, brokers := testkit.KafkaCluster(t)
	for _, variable := range []string{envAddr, envAdmin} {
		data := filepath.Join(t.TempDir(), "data")
		env := map[string]string{
			kafka.EnvBrokers: brokers[0], kafka.EnvLanes: "2", envData: data, envAddr: "127.0.0.1:0", envAdmin: "off",
		}
		env[variable] = other.Addr().String()
		err = run(t.Context(), nil, environmentOf(env), io.Discard, io.Discard)
		require.ErrorContains(t, err, variable+": listen tcp "+other.Addr().String())
		require.ErrorContains(t, err, "stop the program that uses the address, or choose another")
		require.Nil(t, cluster.TopicInfo("orders.layout.v1"), "it creates no ledger")
		require.NoDirExists(t, data)
	}
}
