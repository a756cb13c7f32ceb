package journal

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/events"
)

// headers writes the headers of a batch's records. They are byte for byte those of Envelope.AppendHeaders, but lie in
// the batch's arena, and values that all records share are made once. Headers take a third of a lane's CPU time.
type headers struct {
	arena      *arena
	recordedAt time.Time
	recorded   []byte // recordedAt as a header.
	source     []byte
}

// Values that are the same in every record of every lane. Kafka clients only read them.
var (
	valueDataSchema  = []byte(events.DataSchema)  //nolint:gochecknoglobals // A constant, which Go can't hold as bytes.
	valueSpecVersion = []byte(events.SpecVersion) //nolint:gochecknoglobals // A constant, which Go can't hold as bytes.
	valueContentType = []byte(events.ContentType) //nolint:gochecknoglobals // A constant, which Go can't hold as bytes.
)

func (h *headers) begin(a *arena, source string, recordedAt time.Time) {
	h.arena, h.recordedAt = a, recordedAt
	h.recorded = h.time(recordedAt)
	h.source = a.text(source)
}

func (h *headers) time(t time.Time) []byte {
	b := h.arena.take(len(events.TimeFormat) + 8)
	return t.UTC().AppendFormat(b[:0], events.TimeFormat)
}

func (h *headers) number(n uint64) []byte {
	return strconv.AppendUint(h.arena.take(20)[:0], n, 10)
}

func (h *headers) hash(v *events.Hash) []byte {
	return hex.AppendEncode(h.arena.take(hex.EncodedLen(len(v)))[:0], v[:])
}

func (h *headers) text(dst []events.Header, key, value string) []events.Header {
	if value == "" {
		return dst
	}
	return append(dst, events.Header{Key: key, Value: h.arena.text(value)})
}

// chained appends the headers that the chain covers, in its canonical order.
func (h *headers) chained(dst []events.Header, e *events.Envelope) []events.Header {
	dst = h.text(dst, events.HeaderAuthID, e.AuthID)
	dst = h.text(dst, events.HeaderAuthType, e.AuthType)
	dst = h.text(dst, events.HeaderCausationID, e.CausationID)
	dst = h.text(dst, events.HeaderCorrelationID, e.CorrelationID)
	dst = append(dst, events.Header{Key: events.HeaderDataSchema, Value: valueDataSchema})
	dst = h.text(dst, events.HeaderID, e.ID)
	if e.InboxOffset >= 0 {
		dst = append(dst, events.Header{Key: events.HeaderInboxOffset, Value: h.number(uint64(e.InboxOffset))})
	}
	if e.InputHash != (events.Hash{}) {
		dst = append(dst, events.Header{Key: events.HeaderInputHash, Value: h.hash(&e.InputHash)})
	}
	dst = h.text(dst, events.HeaderInputKey, e.InputKey)
	dst = append(dst, events.Header{Key: events.HeaderLaneSeq, Value: h.number(e.LaneSeq)})
	dst = append(dst, events.Header{Key: events.HeaderRecordedTime, Value: h.recorded})
	if e.Version > 0 {
		dst = append(dst, events.Header{Key: events.HeaderVersion, Value: h.number(e.Version)})
	}
	dst = append(dst, events.Header{Key: events.HeaderSource, Value: h.source})
	dst = append(dst, events.Header{Key: events.HeaderSpecVersion, Value: valueSpecVersion})
	dst = h.text(dst, events.HeaderSubject, e.ShipmentID)
	switch {
	case e.OccurredAt.IsZero():
	case e.OccurredAt.Equal(h.recordedAt):
		dst = append(dst, events.Header{Key: events.HeaderTime, Value: h.recorded})
	default:
		dst = append(dst, events.Header{Key: events.HeaderTime, Value: h.time(e.OccurredAt)})
	}
	dst = h.text(dst, events.HeaderType, e.Type)
	return append(dst, events.Header{Key: events.HeaderContentType, Value: valueContentType})
}

// unchained appends the rest.
func (h *headers) unchained(dst []events.Header, e *events.Envelope) []events.Header {
	dst = append(dst, events.Header{Key: events.HeaderChainHash, Value: h.hash(&e.ChainHash)})
	return h.text(dst, events.HeaderTraceParent, e.TraceParent)
}
