package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/demo"
	"github.com/orderledger/orderledger/internal/testkit"
)

// With strict intake, `import` needs a notification token, and other ways in are closed.
func TestStrictIntake(t *testing.T) {
	dir := t.TempDir()
	sellers, file := filepath.Join(dir, "sellers.json"), filepath.Join(dir, "notifications.ndjson")
	text, err := json.Marshal([]map[string]any{
		{"id": "s1", "token": "calls-of-s1", "notificationToken": notificationToken},
		{"id": demo.OwnSeller, "token": demo.OwnToken, "notificationToken": "notifications of nobody else"},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(sellers, text, 0o600))
	line := func(shipmentID string) string { return strings.ReplaceAll(created(shipmentID), "\n", " ") + "\n" }
	require.NoError(t, os.WriteFile(file, []byte(line("known")+strings.ReplaceAll(line("foreign"), `"s1"`, `"`+demo.OwnSeller+`"`)), 0o600))
	t.Setenv("ORDERLEDGER_INGEST_OPERATOR_TOKEN", operatorToken) // Of up.
	s := newStack(t, "--sellers", sellers, "--open=false")
	testkit.Eventually(t, func() bool {
		up, err := os.ReadFile(s.log.Name())
		return err == nil && strings.Contains(string(up), "intake      strict")
	}, "up says that intake is strict")

	try := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), s.binary, append([]string{"import", "--url", s.url}, args...)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for want, args := range map[string][]string{
		"a notification needs a notification token, or a signature": {file},
		"a notification needs a notification token":                 {"--token", demo.OwnToken, file},
	} {
		said, err := try(args...)
		require.Error(t, err)
		require.Contains(t, said, "2 lines: 0 accepted, 0 refused", "it ends at the first line")
		require.Contains(t, said, want)
	}
	for _, token := range []string{"", notificationToken} {
		said, err := try("--wait", "--token", notificationToken, "--operator-token", token, file)
		require.Error(t, err)
		require.Contains(t, said, "--wait needs --operator-token")
		require.NotContains(t, said, "accepted", "nothing was sent")
	}
	got, err := try("--wait", "--token", notificationToken, "--operator-token", operatorToken, file)
	require.Error(t, err, "a line was refused")
	require.Contains(t, got, "2 lines: 1 accepted, 1 refused")
	require.Contains(t, got, "line 2: 404 the credential does not speak for the seller")
	require.Regexp(t, `applied +1`, got)
	require.Equal(t, 1, count(t, s.sql(), "SELECT count() FROM orderledger.shipments WHERE seller_id = 's1'"))
	require.Equal(t, 1, count(t, s.sql(), "SELECT count() FROM orderledger.shipments"))
}
