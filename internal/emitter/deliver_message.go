package emitter

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// outbound holds the parts of a record of suborders.v1 that the deliverer needs.
type outbound struct {
	id          int64
	shipmentID  string
	eventType   string
	stages      string // Comma separated; only of SUBORDER_COMPLETE.
	reached     string // Comma separated; only of SUBORDER_PROPERTIES_UPDATE.
	otherwise   string // Event type for endpoints that do not get this COMPLETE.
	seq         string // Number in the partition and profile, decimal.
	profile     string
	traceparent string
	correlation string // Id of the request that caused it; for the log.
	seller      string // These three are for the endpoint's scope; a message may lack them.
	location    string
	channel     string
	history     bool  // The shipment was imported as history.
	created     int64 // When the ledger recorded the suborder's creation, in Unix milliseconds.
	body        []byte
	partition   int32
	offset      int64
}

// errMalformed is the error of a record that is not a message. It cannot be sent: without an id a receiver could not
// recognise a repeat, and without a key it has no order.
var errMalformed = errors.New("malformed message")

// readMessage reads a record. It copies the strings and the body: the records of a batch share one buffer, which a
// message that waits for days would otherwise keep alive.
func readMessage(r *kgo.Record) (outbound, error) {
	// Messages of older builds do not say when the suborder was created. It was not after they were written.
	m := outbound{
		partition: r.Partition, offset: r.Offset, shipmentID: string(r.Key), created: r.Timestamp.UnixMilli(),
	}
	for _, h := range r.Headers {
		switch h.Key {
		case events.HeaderID:
			id, err := strconv.ParseInt(string(h.Value), 10, 64)
			if err != nil || id <= 0 {
				return m, fmt.Errorf("%w: ce_id %q", errMalformed, h.Value)
			}
			m.id = id
		case events.HeaderType:
			m.eventType = string(h.Value)
		case headerStages:
			m.stages = string(h.Value)
		case headerReached:
			m.reached = string(h.Value)
		case headerOtherwise:
			m.otherwise = string(h.Value)
		case headerSeq:
			m.seq = string(h.Value)
		case headerProfile:
			m.profile = string(h.Value)
		case headerCreated:
			if at, err := time.Parse(events.TimeFormat, string(h.Value)); err == nil {
				m.created = at.UnixMilli()
			}
		case headerSeller:
			m.seller = string(h.Value)
		case headerLocation:
			m.location = string(h.Value)
		case headerHistory:
			m.history = string(h.Value) == events.True
		case headerChannel:
			m.channel = string(h.Value)
		case events.HeaderCorrelationID:
			m.correlation = string(h.Value)
		case events.HeaderTraceParent:
			m.traceparent = string(h.Value)
		}
	}
	switch {
	case m.id == 0:
		return m, fmt.Errorf("%w: no ce_id", errMalformed)
	case m.shipmentID == "":
		return m, fmt.Errorf("%w: no key", errMalformed)
	case m.eventType == "":
		return m, fmt.Errorf("%w: no ce_type", errMalformed)
	case len(r.Value) == 0:
		return m, fmt.Errorf("%w: no body", errMalformed)
	}
	m.body = bytes.Clone(r.Value)
	return m, nil
}

// The headers of a request, beside those of package webhook. With them a receiver that gets every message of a
// partition sees when one is missing.
const (
	httpLane    = "Ol-Lane"
	httpSeq     = "Ol-Seq"
	httpProfile = "Ol-Profile"
)

func (m *outbound) httpHeaders() map[string]string {
	headers := map[string]string{httpLane: strconv.Itoa(int(m.partition))}
	if m.seq != "" {
		headers[httpSeq] = m.seq
	}
	if m.profile != "" {
		headers[httpProfile] = m.profile
	}
	return headers
}
