package events

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Verifier checks the records of one topic of a lane, one after the other: that each is the next link of the chain, and
// that its key, its id, its body, the seller in its headers and the lane belong together. The chain alone proves only
// that nobody changed a record later, not that its writer put it where readers look for it.
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
	subject, ok := subjectOf(env.Type, r.Value)
	if !ok {
		return fmt.Errorf("%w: body of %s", ErrUndecodable, env.Type)
	}
	if v.Topic == TopicDecisions && len(r.Key) == 0 && len(subject.shipmentID) == 0 {
		return nil // About an input that belongs to no shipment of this lane.
	}
	if lane := Lane(env.ShipmentID, v.Lanes); lane != v.Lane {
		return fmt.Errorf("key %q belongs to lane %d of %d, not to lane %d", r.Key, lane, v.Lanes, v.Lane)
	}
	switch {
	case string(subject.shipmentID) != string(r.Key):
		return fmt.Errorf("key %q, but its body is about shipment %q", r.Key, subject.shipmentID)
	case v.Topic == TopicDecisions:
	case subject.version != env.Version:
		return fmt.Errorf("id %s, but its body has version %d", env.ID, subject.version)
	case string(subject.seller) != env.SellerID || string(subject.location) != env.LocationID:
		return fmt.Errorf("headers name seller %q and location %q, its body %q and %q",
			env.SellerID, env.LocationID, subject.seller, subject.location)
	}
	return nil
}

// decisionShipment is the field number of Decision.shipment_id.
const decisionShipment = 5

// subject is what a body says about itself that key and headers say too.
type subject struct {
	shipmentID, seller, location []byte
	version                      uint64
}

// subjectOf reads the subject of a body and decodes nothing else: a lane that opens checks millions.
func subjectOf(ceType string, body []byte) (s subject, ok bool) {
	if ceType == TypeDecision {
		return s, eachField(body, func(num protowire.Number, b []byte, _ uint64) bool {
			if num == decisionShipment {
				s.shipmentID = b
			}
			return num < decisionShipment
		})
	}
	after, err := RawAfter(body)
	return s, err == nil && eachField(after, func(num protowire.Number, b []byte, n uint64) bool {
		switch int32(num) {
		case shipmentID:
			s.shipmentID = b
		case shipmentVersion:
			s.version = n
		case shipmentSeller:
			s.seller = b
		case shipmentLocation:
			s.location = b
		}
		// Writers write fields in the order of their numbers.
		return num <= shipmentLocation
	})
}

// RawAfter returns the bytes of an event's `after` in the value of its record, without decoding them: a lane that opens
// only moves them. They are a part of value.
func RawAfter(value []byte) ([]byte, error) {
	for b := value; len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			break
		}
		b = b[n:]
		if num == eventAfter && typ == protowire.BytesType {
			if after, n := protowire.ConsumeBytes(b); n >= 0 {
				return after, nil
			}
			break
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			break
		}
		b = b[n:]
	}
	return nil, fmt.Errorf("%w: an event without a state after it", ErrUndecodable)
}

// eachField calls fn for the fields of a message until it returns false. It returns false if the message is malformed
// up to there.
func eachField(b []byte, fn func(num protowire.Number, bytes []byte, number uint64) bool) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		val, n := consume(b, typ)
		if n < 0 {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return false
			}
		}
		if !fn(num, val.bytes, val.number) {
			return true
		}
		b = b[n:]
	}
	return true
}
