package e2e

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// TestDemo runs the demo, which prints events, tables and pushes and ends.
func TestDemo(t *testing.T) {
	if _, err := engine.Locate(); err != nil {
		t.Skip(err)
	}
	binary, err := build()
	require.NoError(t, err)
	text, err := exec.CommandContext(t.Context(), binary, "demo", "--shipments", "40").CombinedOutput()
	out := string(text)
	require.NoError(t, err, out)
	for _, want := range []string{
		"ready after", "POST /sellers/v3/shipments/labels", "tables and pushes caught up", "ShipmentCreated", "DELIVERED",
		"SLA clocks by outcome", "43  SUBORDER_CREATE", "wrong signatures: 0, out of order: 0", "webhook-signature: v1,", `"eventType": "SUBORDER_COMPLETE"`,
	} {
		require.Contains(t, out, want)
	}
}
