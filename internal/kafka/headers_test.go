package kafka_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

func TestHeaders(t *testing.T) {
	t.Parallel()
	t.Run("keep the order and leave out empty values", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, []kgo.RecordHeader{{Key: "b", Value: []byte("1")}, {Key: "a", Value: []byte("2")}},
			kafka.Headers("b", "1", "none", "", "a", "2", "no value"))
	})
	t.Run("are found by key; the first of several counts", func(t *testing.T) {
		t.Parallel()
		r := &kgo.Record{Headers: kafka.Headers("a", "1", "b", "2", "b", "3")}
		require.Equal(t, "2", string(kafka.Header(r, "b")))
		require.Nil(t, kafka.Header(r, "c"))
	})
	t.Run("convert to those of events and back", func(t *testing.T) {
		t.Parallel()
		r := &kgo.Record{Headers: kafka.Headers("a", "1", "b", "2")}
		rec := kafka.EventRecord(r)
		require.Equal(t, []events.Header{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}, rec.Headers)
		require.Equal(t, r.Headers, kafka.AppendRecordHeaders(nil, rec.Headers))
	})
}
