package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// ledgerOf writes a plausible shipment's events, and a record that can't be read, to a fresh Kafka.
func ledgerOf(t *testing.T) kafka.Config {
	t.Helper()
	brokers := testkit.Kafka(t)
	testkit.Topics(t, brokers, 1)
	client := testkit.Client(t, brokers, kafka.ManualPartitions())
	lane := eventstest.NewLane(0)
	for i, e := range eventstest.Story(1, eventstest.Start) {
		if i == 1 {
			require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: events.TopicEvents, Value: []byte("nonsense")}).FirstErr())
		}
		r := lane.Event(e)
		record := &kgo.Record{
			Topic: r.Topic, Key: []byte(r.Key), Value: r.Value, Headers: kafka.AppendRecordHeaders(nil, r.Headers),
		}
		require.NoError(t, client.ProduceSync(t.Context(), record).FirstErr())
	}
	return testkit.KafkaConfig(brokers, 1)
}

func TestTailContinuesAfterAnUnreadableEvent(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, (&tailer{limit: 3}).run(t.Context(), ledgerOf(t), true, &out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 3)
	require.Contains(t, lines[0], "ShipmentCreated")
	require.Contains(t, lines[0], "v1")
	require.Contains(t, lines[0], "→ APPROVED")
	require.Contains(t, lines[1], "lane 0 offset 1: undecodable record")
	require.Contains(t, lines[2], "v2")
}

func TestTailPrintsJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, (&tailer{limit: 1, json: true}).run(t.Context(), ledgerOf(t), true, &out))
	var line struct {
		Type, ShipmentID string
		Version          int
		Event            struct {
			After struct{ ShipmentID, Status string }
		}
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), out.String())
	require.Equal(t, events.TypeShipmentCreated, line.Type)
	require.Equal(t, 1, line.Version)
	require.Equal(t, line.ShipmentID, line.Event.After.ShipmentID)
	require.Equal(t, "STATUS_APPROVED", line.Event.After.Status)
}

func TestTailReportsUnreachableKafka(t *testing.T) {
	t.Parallel()
	cluster, brokers := testkit.KafkaCluster(t)
	cluster.Close()
	err := (&tailer{}).run(t.Context(), testkit.KafkaConfig(brokers, 0), true, &bytes.Buffer{})
	require.ErrorContains(t, err, "is `orderledger up` running?")
}

func TestCommandsNameWrongFlags(t *testing.T) {
	t.Parallel()
	o := upOptions{Only: "everything", SuborderEndpoints: []string{"efs.example.com"}}
	err := o.validate()
	require.ErrorContains(t, err, "--only everything: want kafka or clickhouse")
	require.ErrorContains(t, err, `--suborder-endpoint "efs.example.com"`)
	require.ErrorContains(t, err, "--data")
	require.ErrorContains(t, run(t.Context(), []string{"tail", "-o", "xml"}), "want text or json")
	require.ErrorContains(t, run(t.Context(), []string{"import", "--url", "nowhere", "file"}), "--url")
	require.ErrorContains(t, run(t.Context(), []string{"fly"}), "unknown command")
}
