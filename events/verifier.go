package events

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Verifier checks the records of one topic of a lane, one after the other: that each is the next link of the chain, and
// that its key, its subject and the lane belong together. The chain alone proves only that nobody changed a record
// later, not that its writer put it where readers look for it.
type Verifier struct {
	// Topic is TopicEvents or TopicDecisions.
	Topic string
	Lane  int32
	// Lanes is the ledger's number of lanes.
	Lanes int
	// Chain is the chain after the last record; ChainStart before the first.
	Chain Chain
}

// Next checks a record and moves the chain on. After an error the verifier is where it was. The error wraps
// ErrUndecodable if the record can't be read, else it says what does not fit.
func (v *Verifier) Next(r *Record) (Envelope, error) {
	env, err := DecodeEnvelope(r)
	if err != nil {
		return env, err
	}
	next := v.Chain.Next(v.Topic, v.Lane, r)
	switch {
	case env.LaneSeq != next.Seq:
		return env, fmt.Errorf("laneseq %d after %d", env.LaneSeq, v.Chain.Seq)
	case env.ChainHash != next.Head:
		return env, errors.New("its chain hash is not that of its content")
	}
	if err := v.belongs(&env, r); err != nil {
		return env, err
	}
	v.Chain = next
	return env, nil
}

func (v *Verifier) belongs(env *Envelope, r *Record) error {
	if ofDecisions(env.Type) != (v.Topic == TopicDecisions) {
		return fmt.Errorf("type %s is not one of %s", env.Type, v.Topic)
	}
	if v.Topic == TopicDecisions && env.ID != DecisionID(v.Lane, env.LaneSeq) {
		return fmt.Errorf("id %s is not that of laneseq %d of lane %d", env.ID, env.LaneSeq, v.Lane)
	}
	if env.Type == TypeDecisionsVoided {
		return nil // It concerns no shipment.
	}
	if lane := Lane(env.ShipmentID, v.Lanes); lane != v.Lane {
		return fmt.Errorf("key %q belongs to lane %d of %d, not to lane %d", r.Key, lane, v.Lanes, v.Lane)
	}
	subject, ok := subjectOf(env.Type, r.Value)
	if !ok {
		return fmt.Errorf("%w: body of %s", ErrUndecodable, env.Type)
	}
	if string(subject) != string(r.Key) {
		return fmt.Errorf("key %q, but its body is about shipment %q", r.Key, subject)
	}
	return nil
}

// decisionShipment is the field number of Decision.shipment_id.
const decisionShipment = 5

// subjectOf returns the shipment id in a body, without decoding the rest: a lane that opens checks millions.
func subjectOf(ceType string, body []byte) ([]byte, bool) {
	if ceType == TypeDecision {
		return bytesField(body, decisionShipment)
	}
	after, ok := bytesField(body, eventAfter)
	if !ok {
		return nil, false
	}
	return bytesField(after, shipmentID)
}

// bytesField returns the first field of that number; false if there is none.
func bytesField(b []byte, want protowire.Number) ([]byte, bool) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, false
		}
		b = b[n:]
		if num == want && typ == protowire.BytesType {
			v, n := protowire.ConsumeBytes(b)
			return v, n >= 0
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return nil, false
		}
		b = b[n:]
	}
	return nil, false
}
