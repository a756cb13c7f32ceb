package events_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
)

// The CloudEvents SDK accepts the attributes of every record. Its Kafka bindings read them from headers in this way.
func TestCloudEventsSDKAcceptsRecords(t *testing.T) {
	t.Parallel()
	sums := readSums(t)
	for _, typ := range goldenTypes() {
		record := unpack(t, readGolden(t, events.ShortType(typ)+".bin", sums))
		e := event.New(event.CloudEventsVersionV1)
		for _, h := range record.Headers {
			name, ok := strings.CutPrefix(h.Key, "ce_")
			v := string(h.Value)
			switch {
			case h.Key == events.HeaderContentType:
				e.SetDataContentType(v)
			case !ok:
			case name == "specversion":
				require.Equal(t, event.CloudEventsVersionV1, v)
			case name == "id":
				e.SetID(v)
			case name == "source":
				e.SetSource(v)
			case name == "type":
				e.SetType(v)
			case name == "dataschema":
				e.SetDataSchema(v)
			case name == "time":
				at, err := time.Parse(time.RFC3339, v)
				require.NoError(t, err)
				e.SetTime(at)
			default:
				require.Regexp(t, "^[a-z0-9]{1,20}$", name)
				e.SetExtension(name, v)
			}
		}
		require.NoError(t, e.SetData(events.ContentType, record.Value))
		require.NoError(t, e.Validate(), typ)
	}
}
