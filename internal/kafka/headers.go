package kafka

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// Headers returns the headers of a record from keys and values that alternate, in their order. It leaves out a pair
// whose value is empty: to a reader an absent header and an empty one are the same. A key without a value is dropped.
func Headers(pairs ...string) []kgo.RecordHeader {
	headers := make([]kgo.RecordHeader, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			headers = append(headers, kgo.RecordHeader{Key: pairs[i], Value: []byte(pairs[i+1])})
		}
	}
	return headers
}

// Header returns the value of the first header of that key; it is empty when the record has none. The bytes belong to
// the record.
func Header(r *kgo.Record, key string) []byte {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value
		}
	}
	return nil
}

// EventRecord returns a record as package events reads it. Key, value and headers are shared with the record.
func EventRecord(r *kgo.Record) *events.Record {
	dst := new(events.Record)
	ReadEventRecord(dst, r)
	return dst
}

// ReadEventRecord is EventRecord into dst, whose header slice it uses again: reading many records allocates nothing.
func ReadEventRecord(dst *events.Record, r *kgo.Record) {
	headers := slices.Grow(dst.Headers[:0], len(r.Headers))
	for i := range r.Headers {
		headers = append(headers, events.Header(r.Headers[i]))
	}
	*dst = events.Record{Key: r.Key, Timestamp: r.Timestamp, Headers: headers, Value: r.Value}
}

// AppendRecordHeaders appends headers of package events to dst as the Kafka client writes them. The values are shared.
func AppendRecordHeaders(dst []kgo.RecordHeader, headers []events.Header) []kgo.RecordHeader {
	dst = slices.Grow(dst, len(headers))
	for i := range headers {
		dst = append(dst, kgo.RecordHeader(headers[i]))
	}
	return dst
}
