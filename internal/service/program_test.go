package service_test

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
)

type onlySettings struct{ service.Settings }

// A program starts with a misspelt variable: it may be one of a later version. But it says so.
func TestConfigureLogsUnknownVariables(t *testing.T) {
	t.Parallel()
	log := &testkit.LogLines{}
	_, process, err := service.Configure(t.Context(), service.Program[onlySettings]{
		Name: "test", Environ: []string{"ORDERLEDGER_KAFKA_BROKER=a:1", "ORDERLEDGER_LOG_LEVEL=INFO"},
		Read: func(e *setting.Reader) (cfg onlySettings, _ error) {
			cfg.Settings.Read(e, "ORDERLEDGER_INGEST_ADMIN_ADDR", "off")
			return cfg, errors.Join(e.Problems()...)
		},
		Checks: func(onlySettings) []preflight.Check { return nil },
	}, nil, io.Discard, log)
	require.NoError(t, err)
	require.NotNil(t, process)
	lines := log.With(t, "variable not known")
	require.Len(t, lines, 1)
	require.Equal(t, "ORDERLEDGER_KAFKA_BROKER", lines[0]["name"])
	require.Equal(t, "ORDERLEDGER_KAFKA_BROKERS", lines[0]["nearest"])
	require.Equal(t, "WARN", lines[0]["level"])
}
