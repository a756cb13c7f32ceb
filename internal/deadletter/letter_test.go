package deadletter_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/deadletter"
)

func TestLetterRoundTrip(t *testing.T) {
	t.Parallel()
	for name, value := range map[string][]byte{"bytes": {0, 1, 0xff}, "empty": {}, "null": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			original := &kgo.Record{
				Topic: "orders.events.v1", Partition: 3, Offset: 77, Key: []byte("s1"), Value: value,
				// The original may be a letter itself, with headers of the same names.
				Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte("x")}, {Key: deadletter.HeaderTopic, Value: []byte("other")}},
			}
			letter := deadletter.Of(original, "no type", time.UnixMilli(1700000000123).UTC())
			record := letter.Record()
			require.Equal(t, "orders.deadletters.v1", record.Topic)
			require.Equal(t, "orders.events.v1/3/77", string(record.Key))
			got, err := deadletter.Parse(record)
			require.NoError(t, err)
			require.Equal(t, letter, got)
		})
	}
}

func TestParseForeignRecord(t *testing.T) {
	t.Parallel()
	_, err := deadletter.Parse(&kgo.Record{Offset: 5})
	require.ErrorContains(t, err, "dead letter at 5")
	bad := deadletter.Letter{Topic: "t"}.Record()
	bad.Headers[2].Value = []byte("x")
	_, err = deadletter.Parse(bad)
	require.ErrorContains(t, err, "invalid syntax")
}
