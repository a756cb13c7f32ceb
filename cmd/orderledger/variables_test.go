package main

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/embedded/engine"
	"github.com/orderledger/orderledger/internal/importer"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
)

var update = flag.Bool("update", false, "write the table of variables in docs/operating.md")

func TestVariablesAreDocumented(t *testing.T) {
	t.Parallel()
	e, none := setting.NewReader(setting.Environment(nil)), func(string) bool { return false }
	(&upOptions{Listen: "127.0.0.1:8080"}).readVariables(e, none)
	readImport(e, &importer.Config{URL: defaultURL}, new(string), none)
	readLane(e, &[]string{defaultAdmin})
	variables := append(e.Variables(), setting.Variable{
		Name: engine.EnvLibrary, Meaning: "library of the embedded ClickHouse engine, in place of the one that is downloaded",
	})
	testkit.RequireVariables(t, "orderledger", variables, *update)
	for _, v := range variables {
		require.Contains(t, setting.Known(), v.Name)
	}
}
