package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/setting"
)

// Environ returns variables in the form of os.Environ.
func Environ(vars map[string]string) []string {
	var environ []string
	for name, value := range vars {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// Program is a service, for the tests of its configuration that all services have.
type Program struct {
	// Run is its main function.
	Run func(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error
	// Read reads its configuration.
	Read func(e *setting.Reader) (any, error)
}

// Variables returns the variables that it reads, with their defaults.
func (p Program) Variables() []setting.Variable {
	e := setting.NewReader(setting.Environment(nil))
	_, _ = p.Read(e) // Nothing is required; a problem would be one of the program's own tests.
	return e.Variables()
}

// RequireKnown checks that every variable that the program looks up is in the list of known ones: otherwise it would be
// reported as misspelt.
func (p Program) RequireKnown(t *testing.T) {
	t.Helper()
	known, read := setting.Known(), 0
	_, _ = p.Read(setting.NewReader(func(name string) string {
		read++
		require.Contains(t, known, name)
		return ""
	}))
	require.Positive(t, read)
	seen := map[string]bool{}
	for _, v := range p.Variables() {
		require.False(t, seen[v.Name], "%s is read twice", v.Name)
		seen[v.Name] = true
	}
}

// RequireRefusesArguments checks that a stray argument is an error.
func (p Program) RequireRefusesArguments(t *testing.T) {
	t.Helper()
	err := p.Run(t.Context(), []string{"please"}, nil, io.Discard, io.Discard)
	require.ErrorContains(t, err, `unexpected argument "please"`)
}

// RequireHelp checks that -h lists every variable with its default and its meaning, in lines for a terminal.
func (p Program) RequireHelp(t *testing.T) {
	t.Helper()
	var out bytes.Buffer
	require.Error(t, p.Run(t.Context(), []string{"-h"}, nil, io.Discard, &out))
	words := strings.Join(strings.Fields(out.String()), " ")
	for _, v := range p.Variables() {
		require.NotEmpty(t, v.Meaning, v.Name)
		value := v.Value
		if value == "" {
			value = "none"
		}
		require.Contains(t, words, v.Name+" ("+value+") "+v.Meaning)
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		require.LessOrEqual(t, len(line), 100, line)
	}
}

// RequirePrintsVariables checks that -print-config prints a file of variables: a shell that reads it gives the same
// configuration. secrets are those of vars that the file must not show.
func (p Program) RequirePrintsVariables(t *testing.T, vars map[string]string, secrets ...string) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, p.Run(t.Context(), []string{"-print-config"}, Environ(vars), &out, io.Discard))
	file := filepath.Join(t.TempDir(), "vars")
	require.NoError(t, os.WriteFile(file, out.Bytes(), 0o600))
	shell := exec.CommandContext(t.Context(), "sh", "-c", "set -a; . "+file+"; env -0")
	shell.Env = []string{"PATH=" + os.Getenv("PATH")}
	text, err := shell.Output()
	require.NoError(t, err)
	read := map[string]string{}
	for pair := range strings.SplitSeq(string(text), "\x00") {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "ORDERLEDGER_") {
			read[name] = value
		}
	}
	for _, name := range secrets {
		require.NotContains(t, read, name)
		require.NotContains(t, out.String(), vars[name])
		require.Contains(t, out.String(), "\n#"+name+"="+setting.Mask+"\n")
		read[name] = vars[name] // The operator adds them.
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(vars)), slices.Collect(maps.Keys(read)), "only what was set is set")
	require.Equal(t, p.config(t, vars), p.config(t, read))
	require.Contains(t, out.String(), "\n#ORDERLEDGER_KAFKA_USER=\n", "defaults are comments")
}

// config returns the configuration of variables as JSON, which shows no secrets.
func (p Program) config(t *testing.T, vars map[string]string) string {
	t.Helper()
	cfg, err := p.Read(setting.NewReader(setting.Environment(Environ(vars))))
	require.NoError(t, err)
	text, err := json.Marshal(cfg)
	require.NoError(t, err)
	return string(text)
}

// RequireNamesVariables checks that a value that is not valid is reported by the name of its variable. It gives each
// number and each duration of the program a negative value, and a word; others has values for other variables.
// negative are the variables whose value may be negative. Every line of an error is a problem.
func (p Program) RequireNamesVariables(t *testing.T, others map[string]string, negative ...string) {
	t.Helper()
	refused := func(name, value string) {
		_, err := p.Read(setting.NewReader(setting.Environment([]string{name + "=" + value})))
		require.Error(t, err, "%s=%s", name, value)
		for line := range strings.SplitSeq(err.Error(), "\n") {
			require.Regexp(t, "^"+name+"[ :]", line, "%s=%s", name, value)
		}
	}
	for _, v := range p.Variables() {
		var bad string
		if _, err := strconv.Atoi(v.Value); err == nil {
			bad = "-7"
		} else if _, err := time.ParseDuration(v.Value); err == nil {
			bad = "-7s"
		} else {
			continue
		}
		refused(v.Name, "many")
		if !slices.Contains(negative, v.Name) {
			refused(v.Name, bad)
		}
	}
	for name, value := range others {
		refused(name, value)
	}
}

// RequireDocumented compares the tables of variables in docs/operating.md with those of the program: names, defaults
// and meanings. One table has the variables that all services read, one those for ClickHouse, and the one with the name
// of the program the others. With update it writes the tables.
func (p Program) RequireDocumented(t *testing.T, name string, update bool) {
	t.Helper()
	e := setting.NewReader(setting.Environment(nil))
	(&kafka.Config{}).Read(e)
	ofAll := append(variableNames(e), "ORDERLEDGER_LOG_LEVEL")
	e = setting.NewReader(setting.Environment(nil))
	(&clickhouse.Config{}).Read(e)
	ofClickHouse := variableNames(e)
	tables := map[string][]setting.Variable{}
	for _, v := range p.Variables() {
		switch {
		case slices.Contains(ofAll, v.Name):
			tables["all services"] = append(tables["all services"], v)
		case slices.Contains(ofClickHouse, v.Name):
			tables["ingest and projector"] = append(tables["ingest and projector"], v)
		default:
			tables[name] = append(tables[name], v)
		}
	}
	for section, variables := range tables {
		RequireVariables(t, section, variables, update)
	}
}

func variableNames(e *setting.Reader) (names []string) {
	for _, v := range e.Variables() {
		names = append(names, v.Name)
	}
	return names
}

// RequireVariables compares a table of variables in docs/operating.md with these: names, defaults and meanings. With
// update it writes the table.
func RequireVariables(t *testing.T, section string, variables []setting.Variable, update bool) {
	t.Helper()
	page := operatingPage(t)
	begin, end := "<!-- variables of "+section+", generated: begin -->\n", "<!-- generated: end -->\n"
	head, rest, found := strings.Cut(page, begin)
	require.True(t, found, begin)
	_, tail, found := strings.Cut(rest, end)
	require.True(t, found, end)
	var table strings.Builder
	table.WriteString("\n| Variable | Default | Meaning |\n|---|---|---|\n")
	for _, v := range variables {
		value := "none"
		if v.Value != "" {
			value = "`" + v.Value + "`"
		}
		table.WriteString("| `" + v.Name + "` | " + value + " | " + strings.ReplaceAll(v.Meaning, "|", `\|`) + " |\n")
	}
	table.WriteString("\n")
	want := head + begin + table.String() + end + tail
	if update {
		require.NoError(t, os.WriteFile(operatingPath(), []byte(want), 0o644))
		return
	}
	require.Equal(t, want, page, "docs/operating.md is stale: go test -p 1 ./cmd/... -run Documented -update")
}
