package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestCheckResolvesEndpointHosts(t *testing.T) {
	t.Parallel()
	brokers := testkit.Kafka(t)
	receiver := testkit.NewReceiver(t, secret)
	vars := map[string]string{kafka.EnvBrokers: brokers[0], envAdmin: "off"}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-check"}, env(vars), &out, io.Discard), out.String())
	require.Contains(t, out.String(), "warn  endpoints           none is configured")

	require.NotContains(t, out.String(), "ignored")

	vars[envSecrets], vars[envChannels] = secret, "*"
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-check"}, env(vars), &out, io.Discard), out.String())
	require.Contains(t, out.String(), "ORDERLEDGER_EMITTER_SECRETS, ORDERLEDGER_EMITTER_CHANNELS: ignored")
	require.NotContains(t, out.String(), secret)
	delete(vars, envChannels)

	vars[envEndpoints], vars[envSecrets] = "wms="+receiver.URL(), secret
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-check"}, env(vars), &out, io.Discard), out.String())
	require.Contains(t, out.String(), "ok    endpoints           the hosts of wms resolve")
	require.Empty(t, receiver.Requests())
	require.NotContains(t, out.String(), "ignored")
	require.Contains(t, out.String(), "warn  endpoints           endpoint wms gets nothing: it names no sellers, no locations, no channels")

	vars[envSellers], vars[envLocations] = "s1,s2", "*"
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-check"}, env(vars), &out, io.Discard), out.String())
	require.Contains(t, out.String(), "endpoint wms gets nothing: it names no channels")

	vars[envChannels] = "*"
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-check"}, env(vars), &out, io.Discard), out.String())
	require.NotContains(t, out.String(), "gets nothing")

	vars[envEndpoints] = "wms=http://no-such-host.invalid/hook"
	out.Reset()
	require.ErrorContains(t, run(t.Context(), []string{"-check"}, env(vars), &out, io.Discard), "start-up checks that failed: 1")
	require.Contains(t, out.String(), "FAIL  endpoints           endpoint wms: ")
	require.NotContains(t, out.String(), secret)
}

func TestConfigNeverPrintsSecrets(t *testing.T) {
	t.Parallel()
	vars := env(map[string]string{
		envEndpoints: "wms=https://bob:sssh-url@wms.example/hook?key=sssh-key", envSecrets: secret,
		kafka.EnvSASL: "plain", kafka.EnvUser: "ledger", kafka.EnvPassword: "sssh-kafka",
	})
	cfg, err := readConfig(vars)
	require.NoError(t, err)
	cfg.Emitter.Deliver.Endpoints[0].Headers = map[string]string{"Authorization": "Bearer sssh-header"}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&out, verb+verb, cfg, &cfg)
	}
	require.NoError(t, json.NewEncoder(&out).Encode(cfg))
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).InfoContext(t.Context(), "shown", slog.Any("config", cfg), slog.Any("endpoint", cfg.Emitter.Deliver.Endpoints[0]))
	}
	require.NoError(t, run(t.Context(), []string{"-print-config"}, vars, &out, &out))
	require.Contains(t, out.String(), "wms.example")
	require.NotContains(t, out.String(), "sssh")
	require.NotContains(t, out.String(), "MfKQ9r8")
	require.Equal(t, secret, cfg.Emitter.Deliver.Endpoints[0].Secrets[0], "masking changes a copy")
}
