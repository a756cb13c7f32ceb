package marketplace_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/marketplace"
)

const page = "../../docs/notifications.md"

// intros describe the types.
var intros = map[string]string{
	marketplace.EventShipmentCreated:       "The whole shipment. A second one updates what it reports, and never moves a state.",
	marketplace.EventShipmentHold:          "Units are on hold: labels and dispatch of the shipment are refused.",
	marketplace.EventShipmentUnhold:        "No unit is on hold any more.",
	marketplace.EventShipmentPacked:        "The shipment is packed. The ledger reads no attributes.",
	marketplace.EventShipmentReady:         "The shipment waits for its pickup. The ledger reads no attributes.",
	marketplace.EventShipmentPickedUp:      "The carrier has the goods. The ledger reads no attributes.",
	marketplace.EventShipmentShipped:       "The goods are on their way. The ledger reads no attributes.",
	marketplace.EventShipmentDelivered:     "The goods arrived. The ledger reads no attributes.",
	marketplace.EventDispatchDatesChanged:  "New dates. Dates that are absent stay; without any, the notification is quarantined.",
	marketplace.EventShipmentCancelled:     "Units were cancelled.",
	marketplace.EventShipmentFormFailed:    "Forms could not be made.",
	marketplace.EventReturnCreated:         "Goods come back. Lines may be of several shipments; each gets its own.",
	marketplace.EventReturnTrackingUpdate:  "Another carrier or tracking number of a return.",
	marketplace.EventReturnExpectedChanged: "Another date on which the goods are expected.",
	marketplace.EventReturnPickedUp:        "The carrier has the goods of the return.",
	marketplace.EventReturnCompleted:       "The goods are back.",
	marketplace.EventReturnCancelled:       "The return was cancelled; the goods of a courier return were delivered after all.",
	marketplace.EventShipmentObserved: "*Ours*: what a read of the marketplace's API shows of a shipment. It says when something was seen, not when\n" +
		"it happened, so its times are inferred. Without a state and a service it is quarantined.",
	marketplace.EventReturnObserved: "*Ours*: what a read of the marketplace's API shows of a return, for all its lines. The marketplace sends no\n" +
		"notification when a return is approved or rejected.",
}

func consequence(c marketplace.Consequence, none string) string {
	if c == marketplace.NoConsequence {
		return none
	}
	return string(c)
}

func writeTable(b *strings.Builder, fields []marketplace.Field) {
	b.WriteString("| Field | Type | If absent | Another type | Makes no sense | Meaning |\n|---|---|---|---|---|---|\n")
	for _, f := range fields {
		name, meaning := "`"+f.Path+"`", f.Meaning
		if f.Alias != "" {
			name += " or `" + f.Alias + "`"
		}
		if f.Ours {
			meaning = "*ours*; " + meaning
		}
		if !f.Rule {
			meaning += " (no rule reads it)"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", name, f.Type, consequence(f.Missing, "optional"),
			consequence(f.Wrong, "–"), consequence(f.Senseless, "–"), meaning)
	}
}

// The page shows the fields and the examples that the code has.
func TestNotificationsPage(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	head, err := os.ReadFile("testdata/notifications/head.md")
	require.NoError(t, err)
	b.Write(head)
	writeTable(&b, marketplace.EnvelopeFields())
	b.WriteString("\nThe tables below leave `attributes.` out.\n")
	for _, eventType := range marketplace.EventTypes() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", eventType, intros[eventType])
		if fields := marketplace.AttributeFields(eventType); len(fields) > 0 {
			writeTable(&b, fields)
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "```json\n%s```\n", example(t, eventType))
		n := read(t, string(example(t, eventType)))
		require.Equal(t, eventType, n.EventType)
		_, message, bad := n.Unintelligible()
		require.False(t, bad, message)
	}
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(b.String()), 0o600))
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, b.String(), string(got), "run the test with -update")
}

// A call ignores members that it does not know, so docs/api.md has to name all that it reads.
func TestAPIPageNamesMembersOfCalls(t *testing.T) {
	t.Parallel()
	api, err := os.ReadFile("../../docs/api.md")
	require.NoError(t, err)
	read := regexp.MustCompile(`r\.(?:id|needID|optionalID|text|texts|when|object|rawObject|list|optionalList|optional|` +
		`number|integer|units|boolean)\(\w+, "([^"]+)"|readSubShipments\(r, item, "(\w+)", "(\w+)"\)`)
	named := 0
	for _, file := range []string{"command_shipment.go", "command_return.go", "filter.go"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range read.FindAllStringSubmatch(string(source), -1) {
			for _, name := range m[1:] {
				if name == "" {
					continue
				}
				named++
				require.Regexp(t, "`(\\w+\\.)?"+name+"(`|\\[|\\.)|[{ ]"+name+"[,}]", string(api), "%s, a member in %s", name, file)
			}
		}
	}
	require.Greater(t, named, 60)
}
