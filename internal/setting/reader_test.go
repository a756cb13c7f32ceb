package setting_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/setting"
)

func reader(vars map[string]string) *setting.Reader {
	return setting.NewReader(func(name string) string { return vars[name] })
}

func TestReaderKeepsDefaults(t *testing.T) {
	t.Parallel()
	text, list, number, truth, wait, level := "a", []string{"b"}, 3, true, time.Second, slog.LevelWarn
	secret := setting.NewSecret("kept")
	r := reader(nil)
	r.Text("T", &text, "meaning")
	r.Or("off", "O", &text, "meaning")
	r.List("L", &list, "meaning")
	r.Number("N", &number, "meaning")
	r.Truth("B", &truth, "meaning")
	r.Duration("D", &wait, "meaning")
	r.Word("W", &level, "meaning")
	r.Secret("S", &secret, "meaning")
	require.Empty(t, r.Problems())
	require.Equal(t, []any{"a", []string{"b"}, 3, true, time.Second, slog.LevelWarn, "kept"},
		[]any{text, list, number, truth, wait, level, secret.Reveal()})
}

func TestReaderReportsAllProblems(t *testing.T) {
	t.Parallel()
	r := reader(map[string]string{"N": "many", "B": "perhaps", "D": "soon", "W": "loud", "S": "hunter2", "S_FILE": "/there", "F_FILE": "/not/there"})
	r.Number("N", new(int), "meaning")
	r.Truth("B", new(bool), "meaning")
	r.Duration("D", new(time.Duration), "meaning")
	r.Word("W", new(slog.Level), "meaning")
	r.Secret("S", new(setting.Secret), "meaning")
	r.Secret("F", new(setting.Secret), "meaning")
	err := errors.Join(r.Problems()...)
	for _, want := range []string{`N: "many" is not a number`, `B: "perhaps": want true or false`, `D: "soon": want a duration`, "W: ", "S: S_FILE is set too", "F_FILE: "} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotContains(t, err.Error(), "hunter2", "a problem with a secret does not show it")
}

func TestReaderTakesASecretFromAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, empty := filepath.Join(dir, "password"), filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(file, []byte("pass word \r\n"), 0o600))
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	r := reader(map[string]string{"S_FILE": file, "E_FILE": empty})
	var secret, none setting.Secret
	r.Secret("S", &secret, "meaning")
	require.Empty(t, r.Problems())
	require.Equal(t, "pass word ", secret.Reveal(), "only the end of the line is removed")
	r.Secret("E", &none, "meaning")
	require.ErrorContains(t, errors.Join(r.Problems()...), "empty is empty")
}
