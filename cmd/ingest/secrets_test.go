package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/testkit"
)

// guarded returns variables in which every secret begins with "sssh". It starts a Kafka that accepts them.
func guarded(t *testing.T) map[string]string {
	t.Helper()
	ca := testkit.NewAuthority(t)
	brokers := testkit.Kafka(t, kfake.TLS(ca.Server()), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "ledger", "sssh-kafka"))
	dir := t.TempDir()
	sellers, password := filepath.Join(dir, "sellers.json"), filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(sellers, []byte(`[{"id":"s1","token":"sssh-1","tokens":["sssh-2"],"notificationSecret":"sssh-3","appId":"a"}]`), 0o600))
	require.NoError(t, os.WriteFile(password, []byte("sssh-kafka\n"), 0o600))
	return map[string]string{
		kafka.EnvBrokers: strings.Join(brokers, ","), kafka.EnvLanes: "1", kafka.EnvSASL: "scram-sha-256", kafka.EnvUser: "ledger",
		kafka.EnvPassword + "_FILE": password, "ORDERLEDGER_KAFKA_TLS": "true", "ORDERLEDGER_KAFKA_TLS_CA": ca.File,
		clickhouse.EnvAddr: "127.0.0.1:1", clickhouse.EnvPassword: "sssh-clickhouse",
		envOperator: "sssh-of-the-operator",
		envSellers:  sellers, envAddr: "127.0.0.1:0", envAdmin: "127.0.0.1:0", envData: dir, service.EnvLogLevel: "DEBUG",
	}
}

func TestConfigNeverPrintsSecrets(t *testing.T) {
	t.Parallel()
	vars := environmentOf(guarded(t))
	cfg, err := readConfig(vars)
	require.NoError(t, err)
	require.Equal(t, "sssh-kafka", cfg.Kafka.Password.Reveal())
	require.Equal(t, "sssh-1", cfg.Ingest.Sellers.Sellers[0].Token)

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&out, verb+verb, cfg, &cfg)
	}
	require.NoError(t, json.NewEncoder(&out).Encode(cfg))
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).InfoContext(t.Context(), "shown", slog.Any("config", cfg), slog.Any("sellers", cfg.Ingest.Sellers))
	}
	require.NoError(t, run(t.Context(), []string{"-print-config"}, vars, &out, &out))
	require.Contains(t, out.String(), "***")
	require.NotContains(t, out.String(), "sssh")
	require.Equal(t, "sssh-1", cfg.Ingest.Sellers.Sellers[0].Token, "masking changes a copy")
}

func TestRunNeverLogsSecrets(t *testing.T) {
	t.Parallel()
	vars := environmentOf(guarded(t))
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, nil, vars, io.Discard, write)
		_ = write.Close()
		ended <- err
	}()
	var all bytes.Buffer
	api, _ := listening(t, io.TeeReader(read, &all))
	copied := make(chan struct{})
	go func() {
		_, _ = io.Copy(&all, read)
		close(copied)
	}()
	for _, token := range []string{"sssh-1", "sssh-wrong"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+api+"/sellers/v3/shipments", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		_ = resp.Body.Close()
	}
	cancel()
	require.NoError(t, <-ended)
	<-copied
	require.Contains(t, all.String(), `"level":"DEBUG"`)
	require.Contains(t, all.String(), `"check":"clickhouse servers","result":"FAIL"`, "it reports that, and starts all the same")
	require.NotContains(t, all.String(), "sssh")
}
