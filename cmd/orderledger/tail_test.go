package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/console"
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
	require.NoError(t, (&tailer{limit: 3}).run(t.Context(), ledgerOf(t), true, console.Screen{Out: &out}))
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
	require.NoError(t, (&tailer{limit: 1, json: true}).run(t.Context(), ledgerOf(t), true, console.Screen{Out: &out}))
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

// The line holds everything that the record does.
func TestTailPrintsWholeEnvelope(t *testing.T) {
	t.Parallel()
	hash := sha256.Sum256([]byte("body"))
	at := func(second int) time.Time { return time.Date(2026, 11, 1, 10, 0, second, 0, time.UTC) }
	env := events.Envelope{
		OccurredAt: at(1), DecidedAt: at(2), RecordedAt: at(3), TraceParent: "00-trace",
		ID: "S\a1/1", Type: events.TypeShipmentCreated, Source: "orderledger/a", ShipmentID: "S\a1", Version: 1, LaneSeq: 7,
		SellerID: "seller-1", LocationID: "LOC-1", AuthType: "marketplace", AuthID: "app/x", CorrelationID: "c<1>",
		CausationID: "cause", History: true, DecisionEvents: 2, DecisionEvent: 1, InputType: "notification.shipment_created",
		InputKey: "shipment_created/S1", InputHash: hash, InboxOffset: 0, DecisionSeq: 9, ChainHash: sha256.Sum256([]byte("chain")),
	}
	created := eventstest.NewLane(0).Event(eventstest.Story(1, eventstest.Start)[0])
	text, err := jsonLine(env, &kgo.Record{Partition: 3, Offset: 4, Value: created.Value})
	require.NoError(t, err)
	var line map[string]any
	require.NoError(t, json.Unmarshal(text, &line), "%s", text)
	require.Contains(t, string(text), `"c<1>"`, "no character is escaped for HTML")
	all := map[string]any{
		"type": events.TypeShipmentCreated, "source": "orderledger/a", "shipmentId": "S\a1", "version": 1.0,
		"time": at(1).Format(events.TimeFormat), "decidedTime": at(2).Format(events.TimeFormat),
		"recordedTime": at(3).Format(events.TimeFormat), "traceparent": "00-trace",
		"id": "S\a1/1", "lane": 3.0, "offset": 4.0, "laneseq": 7.0, "sellerId": "seller-1", "locationId": "LOC-1",
		"authType": "marketplace", "authId": "app/x", "correlationId": "c<1>", "causationId": "cause", "history": true,
		"decisionEvents": 2.0, "decisionEvent": 1.0, "inputType": "notification.shipment_created", "inputKey": "shipment_created/S1",
		"inputHash": base64.StdEncoding.EncodeToString(hash[:]), "inboxOffset": 0.0, "decisionSeq": 9.0,
		"chainHash": base64.StdEncoding.EncodeToString(env.ChainHash[:]),
	}
	require.NotEmpty(t, line["event"])
	delete(line, "event")
	require.Equal(t, all, line)

	env.InputType, env.InputHash, env.InboxOffset = "", events.Hash{}, events.NoInboxOffset
	text, err = jsonLine(env, &kgo.Record{Value: nil})
	require.NoError(t, err)
	require.NotContains(t, string(text), "inboxOffset")
	require.NotContains(t, string(text), "inputHash")
}

// heard calls a function at the first write.
type heard struct {
	bytes.Buffer
	then func()
}

func (h *heard) Write(p []byte) (int, error) {
	defer h.then()
	return h.Buffer.Write(p)
}

func TestTailSaysThatItWaits(t *testing.T) {
	t.Parallel()
	cfg := ledgerOf(t)
	for shipment, want := range map[string]string{
		"nosuch": "waiting for an event of shipment nosuch, which has none here yet; Ctrl-C stops\n",
		"":       "waiting for the next event; Ctrl-C stops\n",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), testkit.Limit)
		stderr := &heard{then: cancel}
		var out bytes.Buffer
		tail := &tailer{shipmentID: shipment, waiting: stderr, idle: 200 * time.Millisecond}
		require.NoError(t, tail.run(ctx, cfg, true, console.Screen{Out: &out}))
		require.Equal(t, want, stderr.String())
		require.Nil(t, tail.waiting, "it says so once")
		require.Equal(t, shipment == "", out.Len() > 0)
	}
}

func TestTailReportsUnreachableKafka(t *testing.T) {
	t.Parallel()
	cluster, brokers := testkit.KafkaCluster(t)
	cluster.Close()
	err := (&tailer{}).run(t.Context(), testkit.KafkaConfig(brokers, 0), true, console.Screen{Out: &bytes.Buffer{}})
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
	require.ErrorContains(t, run(t.Context(), []string{"tail", "-n", "-1"}), "-n -1: want 0")
	require.ErrorContains(t, run(t.Context(), []string{"tail", "--kafka", "127.0.0.1:99999"}), "port 99999 is not between")
	require.ErrorContains(t, run(t.Context(), []string{"import", "--url", "nowhere", "file"}), "--url")
	require.ErrorContains(t, run(t.Context(), []string{"import", "--concurrency", "0", "file"}), "--concurrency 0: want 1")
	require.ErrorContains(t, run(t.Context(), []string{"demo", "--shipments", "0"}), "--shipments 0: want 1")
	require.ErrorContains(t, run(t.Context(), []string{"fly"}), "unknown command")
	for _, cmd := range [][]string{{"tail"}, {"layout"}, {"check"}, {"refill"}} {
		require.ErrorContains(t, run(t.Context(), append(cmd, "--kafka", "nowhere")), `--kafka: "nowhere": want host:port`)
	}
	require.ErrorContains(t, run(t.Context(), []string{"timeline", "s", "--clickhouse", "here"}), `--clickhouse: "here": want host:port`)
	for _, admin := range []string{"ftp://x", "127.0.0.1:9101", "http://x:99999"} {
		require.ErrorContains(t, run(t.Context(), []string{"lane", "retry", "3", "--admin", admin}), "--admin: ")
	}
	require.ErrorContains(t, run(t.Context(), []string{"lane", "retry", "3", "--admin", "ftp://x"}), "want http:// or https://, not ftp://")
}

func TestTailShowsDays(t *testing.T) {
	t.Parallel()
	show := func(day bool, screen console.Screen) {
		event := eventstest.Story(1, eventstest.Start)[3]
		events.At(event).Day = day
		r := eventstest.NewLane(0).Event(event)
		record := &kgo.Record{Topic: r.Topic, Key: []byte(r.Key), Value: r.Value, Timestamp: time.Now()}
		for _, h := range r.Headers {
			if h.Key != events.HeaderTime {
				record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			}
		}
		at := kgo.RecordHeader{Key: events.HeaderTime, Value: []byte(reported.Format(events.TimeFormat))}
		record.Headers = append(record.Headers, at)
		(&tailer{}).show(screen.Out, screen.NewTable("", tailColumns()...), record)
	}
	for day, want := range map[bool]string{false: "2026-03-15 18:29:59  lane 0", true: "2026-03-15           lane 0"} {
		var out bytes.Buffer
		show(day, console.Screen{Out: &out})
		require.Equal(t, want, out.String()[:min(len(want), out.Len())])
		for _, width := range []int{40, 80, 200} {
			out.Reset()
			show(day, console.Screen{Out: &out, Width: width})
			require.LessOrEqual(t, uniseg.StringWidth(strings.TrimSuffix(out.String(), "\n")), width, out.String())
		}
		require.Contains(t, out.String(), "→")
	}
}
