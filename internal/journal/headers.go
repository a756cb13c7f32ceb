package journal

import (
	"cmp"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/events"
)

// headers writes the headers of a batch's records. They are byte for byte those of Envelope.AppendHeaders, but lie in
// the batch's arena, and values that all records share are made once. Headers take a third of a lane's CPU time.
type headers struct {
	arena  *arena
	source []byte
}

// Values that are the same in every record of every lane. Kafka clients only read them.
var (
	valueDataSchema  = []byte(events.DataSchema)  //nolint:gochecknoglobals // A constant, which Go can't hold as bytes.
	valueSpecVersion = []byte(events.SpecVersion) //nolint:gochecknoglobals // A constant, which Go can't hold as bytes.
	valueTrue        = []byte(events.True)        //nolint:gochecknoglobals // A constant, which Go can't hold as bytes.
	valueContentType = []byte(events.ContentType) //nolint:gochecknoglobals // A constant, which Go can't hold as bytes.
)

func (h *headers) begin(a *arena, source string) {
	h.arena, h.source = a, a.text(source)
}

func (h *headers) time(t time.Time) []byte {
	b := h.arena.take(len(events.TimeFormat) + 8)
	return t.UTC().AppendFormat(b[:0], events.TimeFormat)
}

func (h *headers) number(n uint64) []byte {
	return strconv.AppendUint(h.arena.take(20)[:0], n, 10)
}

func (h *headers) hash(v *events.Hash) []byte {
	return base64.StdEncoding.AppendEncode(h.arena.take(base64.StdEncoding.EncodedLen(len(v)))[:0], v[:])
}

func (h *headers) text(dst []events.Header, key, value string) []events.Header {
	if value == "" {
		return dst
	}
	return append(dst, events.Header{Key: key, Value: h.arena.text(value)})
}

func (h *headers) flag(dst []events.Header, key string, set bool) []events.Header {
	if !set {
		return dst
	}
	return append(dst, events.Header{Key: key, Value: valueTrue})
}

// at appends a time unless it is the one that its absence stands for.
func (h *headers) at(dst []events.Header, key string, t, other time.Time) []events.Header {
	if t.IsZero() || t.UnixMilli() == other.UnixMilli() {
		return dst
	}
	return append(dst, events.Header{Key: key, Value: h.time(t)})
}

// chained appends the headers that the chain covers, in its canonical order.
func (h *headers) chained(dst []events.Header, e *events.Envelope) []events.Header {
	event := e.Type != events.TypeDecision && e.Type != events.TypeDecisionsVoided
	first := event && e.DecisionEvent <= 1
	if e.AuthType != events.AuthSeller || e.AuthID != e.SellerID {
		dst = h.text(dst, events.HeaderAuthID, e.AuthID)
	}
	dst = h.text(dst, events.HeaderAuthType, e.AuthType)
	dst = h.text(dst, events.HeaderCausationID, e.CausationID)
	dst = h.text(dst, events.HeaderCorrelationID, e.CorrelationID)
	dst = append(dst, events.Header{Key: events.HeaderDataSchema, Value: valueDataSchema})
	if event {
		dst = h.at(dst, events.HeaderDecidedAt, e.DecidedAt, e.RecordedAt)
		if e.DecisionEvents > 1 {
			dst = append(dst,
				events.Header{Key: events.HeaderDecisionEvent, Value: h.number(uint64(e.DecisionEvent))},
				events.Header{Key: events.HeaderDecisionEvents, Value: h.number(uint64(e.DecisionEvents))})
		}
	}
	if first {
		dst = h.flag(dst, events.HeaderDecisionRow, e.DecisionRow)
		if e.DecisionSeq > 0 {
			dst = append(dst, events.Header{Key: events.HeaderDecisionSeq, Value: h.number(e.DecisionSeq)})
		}
	}
	dst = h.flag(dst, events.HeaderHistory, event && e.History)
	dst = h.text(dst, events.HeaderID, e.ID)
	if first {
		dst = h.input(dst, e)
	}
	dst = append(dst, events.Header{Key: events.HeaderLaneSeq, Value: h.number(e.LaneSeq)})
	if event {
		dst = h.text(dst, events.HeaderLocationID, e.LocationID)
		dst = h.text(dst, events.HeaderSellerID, e.SellerID)
	}
	dst = append(dst, events.Header{Key: events.HeaderSource, Value: h.source})
	dst = append(dst, events.Header{Key: events.HeaderSpecVersion, Value: valueSpecVersion})
	if event {
		dst = h.at(dst, events.HeaderTime, e.OccurredAt, cmp.Or(e.DecidedAt, e.RecordedAt))
	}
	dst = h.text(dst, events.HeaderType, e.Type)
	return append(dst, events.Header{Key: events.HeaderContentType, Value: valueContentType})
}

// input appends the headers that say which input a decision was about.
func (h *headers) input(dst []events.Header, e *events.Envelope) []events.Header {
	if e.InboxOffset >= 0 {
		dst = append(dst, events.Header{Key: events.HeaderInboxOffset, Value: h.number(uint64(e.InboxOffset))})
	}
	if e.InputHash != (events.Hash{}) {
		dst = append(dst, events.Header{Key: events.HeaderInputHash, Value: h.hash(&e.InputHash)})
	}
	dst = h.text(dst, events.HeaderInputKey, e.InputKey)
	return h.text(dst, events.HeaderInputType, e.InputType)
}

// unchained appends the rest.
func (h *headers) unchained(dst []events.Header, e *events.Envelope) []events.Header {
	dst = append(dst, events.Header{Key: events.HeaderChainHash, Value: h.hash(&e.ChainHash)})
	return h.text(dst, events.HeaderTraceParent, e.TraceParent)
}
