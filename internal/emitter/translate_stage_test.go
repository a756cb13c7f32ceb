package emitter

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/deadletter"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestTranslatorKeepsLanes(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		l := newLedgerOn(t, on, 3)
		reg := prometheus.NewRegistry()
		l.translate(t, reg)
		const shipments, versions = 20, 5
		for v := uint64(1); v <= versions; v++ {
			var batch []*kgo.Record
			for i := range shipments {
				id := fmt.Sprintf("shipment-%d", i)
				if v == 1 {
					batch = append(batch, l.created(t, id))
				} else {
					batch = append(batch, l.changed(t, id, v))
				}
			}
			l.commit(t, batch...)
		}
		l.waitDone(t)

		total := 0
		for partition, records := range l.read(t, events.TopicSuborders) {
			last, versionOf := int64(0), map[string]uint64{}
			for i, r := range records {
				m, err := readMessage(r)
				require.NoError(t, err, "the deliverer can read the message")
				require.Equal(t, events.Lane(m.shipmentID, l.lanes), partition)
				require.Greater(t, m.id, last)
				require.Equal(t, m.id, decodeBody(t, r.Value).MessageID)
				last = m.id
				h, seq := headers(r), strconv.Itoa(i+1)
				require.Equal(t, seq, h[headerSeq])
				require.Equal(t, sampleTime.UnixMilli(), m.created, "every message says when its suborder was created")
				versionOf[m.shipmentID]++
				require.Equal(t, events.EventID(m.shipmentID, versionOf[m.shipmentID]), h[events.HeaderCausationID])
				if versionOf[m.shipmentID] > 1 {
					require.Equal(t, HoldHeld, h["ol_hold"])
					continue
				}
				delete(h, events.HeaderCausationID)
				delete(h, events.HeaderID)
				delete(h, events.HeaderSubject)
				require.Equal(t, map[string]string{
					"ce_type": SuborderCreate, "ce_source": "/orderledger", "ce_specversion": "1.0", "ce_time": "2020-10-16T20:22:28.000Z",
					"ce_correlationid": "story-1", "traceparent": "00-1-2-01", "content-type": "application/json",
					"ol_profile": "752255250", "ol_location": "loc1", "ol_channel": "flipkart", "ol_seller": "seller-1",
					"ol_created": "2020-10-16T20:22:28.000Z", "ol_seq": seq,
				}, h)
			}
			total += len(records)
		}
		require.Equal(t, shipments*versions, total)
		require.Equal(t, shipments, count(t, reg, "translated_total", SuborderCreate))
	})
}

func TestTranslatorDeadLetters(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		l := newLedgerOn(t, on, 1)
		reg := prometheus.NewRegistry()
		l.translate(t, reg)

		unknown := l.created(t, "s1")
		for i, h := range unknown.Headers {
			if h.Key == events.HeaderType {
				unknown.Headers[i].Value = []byte("orders.SomethingNew.v1")
			}
		}
		noSeq := l.created(t, "s2")
		for i, h := range noSeq.Headers {
			if h.Key == events.HeaderLaneSeq {
				noSeq.Headers[i].Value = []byte("0")
			}
		}
		bad := l.created(t, "s3")
		bad.Value = []byte{0xff, 0xff}
		null := l.created(t, "s4")
		null.Value = nil
		bare := &kgo.Record{Topic: events.TopicEvents, Value: []byte("hello")}
		l.commit(t, unknown, noSeq, bad, null, bare, l.created(t, "s5"))
		l.waitDone(t)

		messages := l.read(t, events.TopicSuborders)[0]
		require.Len(t, messages, 1)
		require.Equal(t, "s5", string(messages[0].Key))

		dead := l.read(t, events.TopicDeadLetters)[0]
		require.Len(t, dead, 5)
		for i, want := range []struct {
			reason string
			value  []byte
		}{
			{"unknown type", unknown.Value},
			{"no sequence", noSeq.Value},
			{"body of " + events.TypeShipmentCreated, bad.Value},
			{"null value", nil},
			{"missing", []byte("hello")},
		} {
			letter, err := deadletter.Parse(dead[i])
			require.NoError(t, err)
			require.Equal(t, []any{events.TopicEvents, int32(0), int64(i)}, []any{letter.Topic, letter.Partition, letter.Offset})
			require.Contains(t, letter.Reason, want.reason)
			require.Equal(t, want.value, letter.Value)
		}
		require.Equal(t, 1, count(t, reg, "dead_letters_total", "unknown_type"))
		require.Equal(t, 1, count(t, reg, "dead_letters_total", "no_laneseq"))
		require.Equal(t, 3, count(t, reg, "dead_letters_total", "undecodable"))
	})
}

func TestTranslatorSkipsWritten(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		l := newLedgerOn(t, on, 1)
		stop := l.translate(t, nil)
		l.commit(t, l.created(t, "a"), l.created(t, "b"), l.changed(t, "a", 2))
		l.waitDone(t)
		stop()

		// As after a crash before the commit: the messages are written, but the committed position is below them.
		adm := kadm.NewClient(l.writer)
		group := kafka.GroupTranslate(testkit.KafkaConfig(l.brokers, l.lanes).Cluster)
		start := kadm.OffsetsFromRecords(kgo.Record{Topic: events.TopicEvents, Offset: 0})
		_, err := adm.CommitOffsets(t.Context(), group, start)
		require.NoError(t, err)
		reg := prometheus.NewRegistry()
		l.translate(t, reg)
		l.commit(t, l.changed(t, "b", 2))
		l.waitDone(t)

		var causes []string
		for _, r := range l.read(t, events.TopicSuborders)[0] {
			causes = append(causes, headers(r)[events.HeaderCausationID])
		}
		require.Equal(t, []string{"a/1", "b/1", "a/2", "b/2"}, causes)
		require.Equal(t, 2, count(t, reg, "already_written_total", ""), "the first event is committed")
		l.requireNumbers(t, 4)
	})
}

func TestTranslatorRefusedWrite(t *testing.T) {
	t.Parallel()
	l := newLedger(t, 1)
	l.commit(t, l.created(t, "a"), l.changed(t, "a", 2), l.changed(t, "a", 3))
	var refused atomic.Int32
	l.cluster.ControlKey(int16(kmsg.Produce), func(in kmsg.Request) (kmsg.Response, error, bool) {
		l.cluster.KeepControl()
		req := in.(*kmsg.ProduceRequest)
		if req.TransactionID != nil || refused.Add(1) > 3 {
			return nil, nil, false
		}
		// The client does not retry this error, so the router gets it and passes the event again.
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.MessageTooLarge.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
	l.translate(t, nil)
	l.waitDone(t)
	require.GreaterOrEqual(t, refused.Load(), int32(3))

	messages := l.read(t, events.TopicSuborders)[0]
	var causes []string
	for _, r := range messages {
		causes = append(causes, headers(r)[events.HeaderCausationID])
	}
	require.Equal(t, []string{"a/1", "a/2", "a/3"}, causes)
}

func TestTranslatorClosed(t *testing.T) {
	t.Parallel()
	tr, err := NewTranslator(TranslateConfig{}, testkit.KafkaConfig([]string{"127.0.0.1:1"}, 1), nil, nil)
	require.NoError(t, err)
	tr.Close()
	tr.Close()
	require.ErrorIs(t, tr.Run(t.Context()), errClosed)
}
