package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/testkit"
)

var alertRow = regexp.MustCompile("(?m)^\\| ([A-Z][^|]*?) \\| `(.*?)`(?: for (\\w+))?(?:, with your number of lanes)? \\| ([^|]{20,}) \\|$")

// The page has a row with the meaning of every rule of alerts.yaml, with the same expression and duration.
func TestOperatingExplainsAlerts(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs", "operating.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "### Alerts\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var rows []testkit.Alert
	for _, row := range alertRow.FindAllStringSubmatch(strings.ReplaceAll(section, `\|`, "\x00"), -1) {
		name := "Orderledger"
		for word := range strings.FieldsSeq(row[1]) {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		rows = append(rows, testkit.Alert{Name: name, Expr: strings.ReplaceAll(row[2], "\x00", "|"), For: row[3]})
	}
	require.Equal(t, testkit.Alerts(t), rows)
	require.Len(t, rows, strings.Count(section, "\n| ")-1, "every row is one alert, beside the head")
}
