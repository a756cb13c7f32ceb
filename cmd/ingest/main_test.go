package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
)

func environmentOf(vars map[string]string) []string { return testkit.Environ(vars) }

func readConfig(environ []string) (config, error) {
	return read(setting.NewReader(setting.Environment(environ)))
}

func TestPrintConfigMasksSecrets(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sellers.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"id":"s1","token":"tok-1","tokens":["tok-2"],"own":true,"notificationToken":"tok-3-notifications","notificationTokens":["tok-4-notifications"],
		"appId":"app","notificationSecret":"sssh","locations":[{"id":"LOC1","address":{"stateCode":"KA"}}]}]`), 0o600))
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-print-config"}, environmentOf(map[string]string{
		envSellers: file, clickhouse.EnvPassword: "pass-word", kafka.EnvBrokers: "a:1, b:2", kafka.EnvLanes: "6", envDefaultPackWithin: "10m", envCache: "200",
		envWaitingFacts: "50", envWaitingBytes: "2",
		envPeerAddr: "127.0.0.1:8081", envPeerURL: "http://ingest-1:8081", envPeerSecret: "peer-secret-number-two, peer-secret-number-one",
	}), &out, io.Discard))
	require.NotContains(t, out.String(), "tok-")
	require.NotContains(t, out.String(), "sssh")
	require.NotContains(t, out.String(), "pass-word")
	require.NotContains(t, out.String(), "peer-secret")
	var shown struct {
		Kafka   struct{ Brokers []string }
		Journal struct {
			Advertise                  string
			CacheBytes                 int64
			WaitingCount, WaitingBytes int
			WaitingLimit               string
		}
		Ingest struct {
			Lanes   int
			Peers   struct{ Secrets []string }
			Sellers struct {
				Sellers []struct{ ID string }
				Default struct{ PackWithinSeconds int }
			}
		}
	}
	_, comment, found := strings.Cut(out.String(), "with secrets masked:\n# ")
	require.True(t, found)
	require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(comment, "\n# ", "\n")), &shown))
	require.Equal(t, []string{"a:1", "b:2"}, shown.Kafka.Brokers)
	require.Equal(t, 6, shown.Ingest.Lanes)
	require.Equal(t, "http://ingest-1:8081", shown.Journal.Advertise)
	require.EqualValues(t, 200<<20, shown.Journal.CacheBytes)
	require.Equal(t, 50, shown.Journal.WaitingCount)
	require.Equal(t, 2<<20, shown.Journal.WaitingBytes)
	require.Equal(t, "72h0m0s", shown.Journal.WaitingLimit, "not in nanoseconds")
	require.Equal(t, []string{"***", "***"}, shown.Ingest.Peers.Secrets)
	require.Equal(t, "s1", shown.Ingest.Sellers.Sellers[0].ID)
	require.Equal(t, 600, shown.Ingest.Sellers.Default.PackWithinSeconds)
}

func TestReadConfigReportsAllProblems(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sellers.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"id":"s1","tokn":"x"}]`), 0o600))
	err := run(t.Context(), []string{"-check"}, environmentOf(map[string]string{
		envSellers: file, kafka.EnvLanes: "many", envAddr: "nowhere", envDefaultFulfilment: "pigeon", clickhouse.EnvAddr: "here",
		envOperator: "sssh-op", envOpen: "perhaps", envStrict: "true", service.EnvLogLevel: "LOUD", envDefaultPackWithin: "soon", envRate: "-1",
		envPeerAddr: "127.0.0.1:8081", envPeerSecret: "peer-sec", envStandby: "maybe",
	}), io.Discard, io.Discard)
	for _, want := range []string{
		envSellers + ": " + file + `: line 1, column 13: unknown member "tokn"; is it "token"?`, kafka.EnvLanes, `ORDERLEDGER_INGEST_ADDR: "nowhere": want host:port`, `fulfilment "pigeon"`, `ORDERLEDGER_CLICKHOUSE_ADDR: "here"`, envOpen,
		"ORDERLEDGER_INGEST_OPERATOR_TOKEN: a token of 7 bytes",
		"ORDERLEDGER_SELLERS_STRICT: it is gone: intake is strict unless ORDERLEDGER_INGEST_OPEN=true",
		service.EnvLogLevel, envDefaultPackWithin, "ORDERLEDGER_INGEST_RATE: -1",
		envPeerURL, "ORDERLEDGER_INGEST_PEER_SECRET: secret 1 has 8 bytes", envStandby,
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "peer-sec")
}

func TestRunPrintsVersion(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-version"}, environmentOf(nil), &out, io.Discard))
	require.NotEmpty(t, out.String())
}

// Standbys are a number, and were on or off in earlier builds.
func TestReadConfigStandbys(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int{"": 1, "on": 1, "ON": 1, "1": 1, "2": 2, "off": 0, "0": 0} {
		cfg, err := readConfig(environmentOf(map[string]string{envStandby: value}))
		require.NoError(t, err, value)
		require.Equal(t, want, cfg.Journal.Standbys, value)
	}
}

func TestReadConfigKnowsCurrencies(t *testing.T) {
	t.Parallel()
	for code, valid := range map[string]bool{"INR": true, "VES": true, "SLE": true, "INX": false, "inr": false, "DEM": false} {
		_, err := readConfig(environmentOf(map[string]string{envCurrency: code}))
		if valid {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, envCurrency+`: "`+code+`" is no currency`)
	}
}
