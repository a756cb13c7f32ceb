package events_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Golden files are records as they were first written. However the schema and this code change, they must be read as
// before. So -update writes files only for types that have none, and never changes an existing file.
var update = flag.Bool("update", false, "write golden files of types that have none")

const (
	goldenDir  = "testdata/golden/v1"
	goldenSums = "testdata/golden/v1.sha256"
)

// golden is the readable half of a golden file.
type golden struct {
	Key       string          `json:"key"`
	Timestamp string          `json:"timestamp"`
	Headers   [][2]string     `json:"headers"`
	Body      json.RawMessage `json:"body"`
}

func goldenTypes() []string {
	return append(events.Types(), events.TypeDecision, events.TypeDecisionsVoided)
}

// Records are read today as they were when they were written.
func TestGoldenRecords(t *testing.T) {
	t.Parallel()
	sums := readSums(t)
	for _, typ := range goldenTypes() {
		name := events.ShortType(typ)
		if *update {
			writeGolden(t, typ, name, sums)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bin := readGolden(t, name+".bin", sums)
			text := readGolden(t, name+".json", sums)
			record := unpack(t, bin)
			var want golden
			require.NoError(t, json.Unmarshal(text, &want))

			t.Run("headers", func(t *testing.T) {
				t.Parallel()
				var got [][2]string
				for _, h := range record.Headers {
					got = append(got, [2]string{h.Key, string(h.Value)})
				}
				require.Equal(t, want.Headers, got)
				require.Equal(t, want.Key, string(record.Key))
				require.Equal(t, want.Timestamp, record.Timestamp.Format(events.TimeFormat))
			})
			t.Run("chain", func(t *testing.T) {
				t.Parallel()
				env, err := events.DecodeEnvelope(record)
				require.NoError(t, err)
				start := events.ChainStart(events.Hash{}, topicOf(typ), 3)
				require.Equal(t, start.Next(topicOf(typ), 3, record).Head, env.ChainHash)
			})
			t.Run("codec", func(t *testing.T) {
				t.Parallel()
				decodes(t, typ, record)
			})
			t.Run("JSON", func(t *testing.T) {
				t.Parallel()
				got, err := events.AppendJSON(nil, typ, record.Value)
				require.NoError(t, err)
				require.JSONEq(t, string(want.Body), string(got))
			})
			t.Run("a reader with only the schema", func(t *testing.T) {
				t.Parallel()
				m := dynamicpb.NewMessage(bareDescriptor(t, messageOf(typ)))
				require.NoError(t, proto.Unmarshal(record.Value, m))
				require.Empty(t, m.GetUnknown())
				got, err := protojson.Marshal(m)
				require.NoError(t, err)
				require.JSONEq(t, string(want.Body), string(got))
			})
			t.Run("JSON Schema", func(t *testing.T) {
				t.Parallel()
				body, err := jsonschema.UnmarshalJSON(bytes.NewReader(want.Body))
				require.NoError(t, err)
				require.NoError(t, compileSchema(t, messageOf(typ), false).Validate(body))
				// The published schema allows unknown fields, because later versions add some; this one allows none.
				require.NoError(t, compileSchema(t, messageOf(typ), true).Validate(body))
			})
		})
	}
}

func TestGoldenFilesHaveKnownTypes(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, typ := range goldenTypes() {
		known[events.ShortType(typ)] = true
	}
	files, err := os.ReadDir(goldenDir)
	require.NoError(t, err)
	require.Len(t, files, 2*len(known))
	for _, f := range files {
		require.True(t, known[strings.TrimSuffix(f.Name(), filepath.Ext(f.Name()))], f.Name())
	}
}

func TestJSONSchemaRefusesOthers(t *testing.T) {
	t.Parallel()
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"transition": {"to": "STATUS_NOWHERE"}}`))
	require.NoError(t, err)
	require.Error(t, compileSchema(t, "Event", false).Validate(body))
}

func decodes(t *testing.T, typ string, r *events.Record) {
	t.Helper()
	if topicOf(typ) == events.TopicDecisions {
		_, d, v, err := events.DecodeDecision(r)
		require.NoError(t, err)
		require.Equal(t, typ == events.TypeDecision, d != nil)
		require.Equal(t, typ == events.TypeDecisionsVoided, v != nil)
		return
	}
	env, e, err := events.Decode(r)
	require.NoError(t, err)
	require.Equal(t, typ, env.Type)
	require.NotNil(t, events.At(e))
	var view events.View
	require.NoError(t, view.Read(r))
	require.Equal(t, e.GetTransition().GetTo(), view.To)
}

func topicOf(typ string) string {
	if typ == events.TypeDecision || typ == events.TypeDecisionsVoided {
		return events.TopicDecisions
	}
	return events.TopicEvents
}

func messageOf(typ string) string {
	if topicOf(typ) == events.TopicDecisions {
		return events.ShortType(typ)
	}
	return "Event"
}

// bareDescriptor returns a message's descriptor as a reader gets it from the schema files alone.
func bareDescriptor(t *testing.T, message string) protoreflect.MessageDescriptor {
	t.Helper()
	var set descriptorpb.FileDescriptorSet
	for _, f := range []protoreflect.FileDescriptor{
		timestamppb.File_google_protobuf_timestamp_proto, ledgerv1.File_orderledger_v1_shipment_proto,
		ledgerv1.File_orderledger_v1_event_proto, ledgerv1.File_orderledger_v1_decision_proto,
	} {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
	}
	files, err := protodesc.NewFiles(&set)
	require.NoError(t, err)
	d, err := files.FindDescriptorByName(protoreflect.FullName("orderledger.v1." + message))
	require.NoError(t, err)
	return d.(protoreflect.MessageDescriptor)
}

// compileSchema compiles the published JSON Schema of a message, or one that allows no fields but those it names.
func compileSchema(t *testing.T, message string, closed bool) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("../schemas/jsonschema/orderledger.v1." + message + ".jsonschema.bundle.json")
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	if closed {
		closeSchema(doc)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("schema.json", doc))
	s, err := c.Compile("schema.json")
	require.NoError(t, err)
	return s
}

func closeSchema(v any) {
	switch v := v.(type) {
	case map[string]any:
		if v["additionalProperties"] == true {
			v["additionalProperties"] = false
		}
		for _, e := range v {
			closeSchema(e)
		}
	case []any:
		for _, e := range v {
			closeSchema(e)
		}
	}
}

func writeGolden(t *testing.T, typ, name string, sums map[string]string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(goldenDir, name+".bin")); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	var m proto.Message = eventstest.Event(typ)
	switch typ {
	case events.TypeDecision:
		m = eventstest.Decision()
	case events.TypeDecisionsVoided:
		m = &ledgerv1.DecisionsVoided{FirstOffset: 10, LastOffset: 12, Reason: "the batch's events are gone"}
	}
	env := eventstest.Envelope(typ)
	if e, ok := m.(*ledgerv1.Event); ok {
		env.ShipmentID, env.Version = e.GetAfter().GetShipmentId(), e.GetAfter().GetVersion()
		env.ID = events.EventID(env.ShipmentID, env.Version)
	}
	record := eventstest.Record(env, m)
	g := golden{Key: string(record.Key), Timestamp: record.Timestamp.Format(events.TimeFormat)}
	for _, h := range record.Headers {
		g.Headers = append(g.Headers, [2]string{h.Key, string(h.Value)})
	}
	// protojson writes the file, so that it does not depend on the code under test.
	body, err := protojson.Marshal(m)
	require.NoError(t, err)
	g.Body = body
	text, err := json.MarshalIndent(g, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(goldenDir, 0o755))
	for file, content := range map[string][]byte{name + ".bin": pack(record), name + ".json": append(text, '\n')} {
		require.NoError(t, os.WriteFile(filepath.Join(goldenDir, file), content, 0o644))
		sum := sha256.Sum256(content)
		sums[file] = hex.EncodeToString(sum[:])
		f, err := os.OpenFile(goldenSums, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		require.NoError(t, err)
		_, err = f.WriteString(sums[file] + "  v1/" + file + "\n")
		require.NoError(t, errors.Join(err, f.Close()))
	}
}

func readSums(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(goldenSums)
	if *update && errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}
	}
	require.NoError(t, err)
	sums := map[string]string{}
	for line := range strings.Lines(string(text)) {
		sum, file, ok := strings.Cut(strings.TrimSpace(line), "  v1/")
		require.True(t, ok, line)
		require.Empty(t, sums[file], "%s is listed twice", file)
		sums[file] = sum
	}
	return sums
}

func readGolden(t *testing.T, file string, sums map[string]string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(goldenDir, file))
	require.NoError(t, err, "run the tests with -update to write the files of a new type")
	sum := sha256.Sum256(content)
	require.Equal(t, sums[file], hex.EncodeToString(sum[:]), "%s was changed: what was written once stays as it is", file)
	return content
}

// pack writes a record as one file: the timestamp in milliseconds and the number of headers as varints, the key, each
// header's key and value, and the value, every one of these preceded by its length as a varint.
func pack(r *events.Record) []byte {
	b := binary.AppendUvarint(nil, uint64(r.Timestamp.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(len(r.Headers)))
	part := func(p []byte) { b = append(binary.AppendUvarint(b, uint64(len(p))), p...) }
	part(r.Key)
	for _, h := range r.Headers {
		part([]byte(h.Key))
		part(h.Value)
	}
	part(r.Value)
	return b
}

func unpack(t *testing.T, b []byte) *events.Record {
	t.Helper()
	r := bytes.NewReader(b)
	part := func() []byte {
		n, err := binary.ReadUvarint(r)
		require.NoError(t, err)
		p := make([]byte, n)
		_, err = r.Read(p)
		require.NoError(t, err)
		return p
	}
	ms, err := binary.ReadUvarint(r)
	require.NoError(t, err)
	n, err := binary.ReadUvarint(r)
	require.NoError(t, err)
	record := &events.Record{Key: part(), Timestamp: time.UnixMilli(int64(ms)).UTC()}
	for range n {
		key := string(part())
		record.Headers = append(record.Headers, events.Header{Key: key, Value: part()})
	}
	record.Value = part()
	require.Zero(t, r.Len())
	return record
}
