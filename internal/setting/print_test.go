package setting_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/setting"
)

// Everything but durations and hashes is as encoding/json has it, so that no configuration loses a part.
func TestPrintShowsDurations(t *testing.T) {
	t.Parallel()
	type Embedded struct{ Wait, hidden time.Duration }
	type part struct {
		Name  string `json:"name"`
		Limit any    `json:"limit,omitempty"`
		Call  func() `json:"-"`
	}
	once := 10 * time.Minute
	cfg := struct {
		Embedded
		Secret  setting.Secret
		Level   slog.Level
		Parts   []part
		ByName  map[string]*part
		Hash    [4]byte
		None    []string
		Nothing *part
		Raw     json.RawMessage
		Bytes   []byte
		Fixed   [2]int
		Pointer *time.Duration
		Waits   map[int]time.Duration
	}{
		Embedded: Embedded{Wait: 90 * time.Second, hidden: time.Second}, Secret: setting.NewSecret("geheim"),
		Parts: []part{{Name: "a <b>", Limit: 2 * time.Second}, {Name: "c"}}, ByName: map[string]*part{"z": nil, "d": {Name: "e"}},
		Hash: [4]byte{0xde, 0xad}, Raw: json.RawMessage(`{"x":1}`), Bytes: []byte("b"), Pointer: &once,
		Waits: map[int]time.Duration{7: time.Hour},
	}
	_ = cfg.hidden
	got, err := setting.Print(cfg, "# ", "  ")
	require.NoError(t, err)
	want, err := json.MarshalIndent(cfg, "# ", "  ")
	require.NoError(t, err)
	var hash strings.Builder
	hash.WriteString("[\n")
	for _, number := range []string{"222,", "173,", "0,", "0"} {
		hash.WriteString("#     " + number + "\n")
	}
	hash.WriteString("#   ]")
	text := strings.NewReplacer("90000000000", `"1m30s"`, "2000000000", `"2s"`, "3600000000000", `"1h0m0s"`,
		"600000000000", `"10m0s"`, hash.String(), `"dead0000"`).Replace(string(want))
	require.Equal(t, text, string(got))
	require.NotContains(t, text, "geheim")
}
