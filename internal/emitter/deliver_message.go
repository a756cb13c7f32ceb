package emitter

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// outbound is a record of suborders.v1 as the deliverer needs it.
type outbound struct {
	id          int64
	shipmentID  string
	eventType   string
	stages      string // comma separated, of SUBORDER_COMPLETE only
	otherwise   string // event type for endpoints that do not get this COMPLETE
	traceparent string
	body        []byte
	partition   int32
	offset      int64
}

// errMalformed marks a record that is not a message. It cannot be sent: without an id a receiver could not tell a
// repeat, and without a key it has no order.
var errMalformed = errors.New("malformed message")

// readMessage reads a record. The strings and the body are copies: a record of the client shares the buffer of its
// whole batch, which one message that waits for days would otherwise keep alive.
func readMessage(r *kgo.Record) (outbound, error) {
	m := outbound{partition: r.Partition, offset: r.Offset, shipmentID: string(r.Key)}
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
		case headerOtherwise:
			m.otherwise = string(h.Value)
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

// take says whether an endpoint gets a message, and makes it the one that this endpoint gets. A suborder reaches each
// stage once, in one COMPLETE that lists it, so the endpoint gets exactly one COMPLETE whichever stages were jumped
// over. Another COMPLETE is nothing to it, or what the message says it is otherwise: the same bytes for the same
// endpoint at each attempt.
func (e *Endpoint) take(m *outbound) bool {
	if m.eventType == SuborderComplete && (!e.on(SuborderComplete) || !e.waitsFor(m.stages)) {
		if m.otherwise == "" || !e.on(m.otherwise) {
			return false
		}
		m.body = Retype(m.body, m.eventType, m.otherwise)
		m.eventType = m.otherwise
		return true
	}
	return e.on(m.eventType)
}

func (e *Endpoint) on(eventType string) bool {
	on, named := e.EventTypes[eventType]
	return on || !named
}

func (e *Endpoint) waitsFor(stages string) bool {
	for stage := range strings.SplitSeq(stages, ",") {
		if stage == e.CompleteStage {
			return true
		}
	}
	return false
}
