package events

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// View is a record of TopicEvents, read in place: its envelope and the few fields of its body that readers filter and
// sort by. The rest is not decoded. Its byte slices belong to the record. View is for readers that read many events and
// need the state of few; all others should use Decode.
type View struct {
	// The headers; see Envelope. Absent ones are empty.
	ID, ShipmentID, AuthType, AuthID, CorrelationID, CausationID, InputKey []byte
	Type                                                                   string
	Version, LaneSeq                                                       uint64
	OccurredAt, DecidedAt, RecordedAt                                      time.Time
	ChainHash                                                              Hash
	History                                                                bool

	// Fields of the body's transition.
	From, To        ledgerv1.Status
	Irregular, Late bool
	// Fields of the state after the event. After is the whole state, in Protobuf.
	OrderID, SellerID, LocationID, After []byte
}

// Read reads a record of TopicEvents into v and replaces its contents. It checks what Decode checks, but not the inside
// of the state and of the event's own fields, which AppendJSON checks. An error wraps ErrUndecodable.
func (v *View) Read(r *Record) error {
	*v = View{ShipmentID: r.Key, RecordedAt: recordedAt(r.Timestamp)}
	if err := v.readHeaders(r); err != nil {
		// DecodeEnvelope names every bad header. Its cost does not matter here.
		if _, all := DecodeEnvelope(r); all != nil {
			return all
		}
		return err
	}
	if len(r.Value) == 0 {
		return ErrNull
	}
	oneof, ok := numberByType[v.Type]
	if !ok {
		return fmt.Errorf("%w %q", ErrUnknownType, v.Type)
	}
	if err := v.readBody(r.Value, oneof); err != nil {
		return err
	}
	if len(v.AuthID) == 0 && string(v.AuthType) == AuthSeller {
		v.AuthID = v.SellerID
	}
	return nil
}

func (v *View) readHeaders(r *Record) error {
	var err error
	for i := range r.Headers {
		b := r.Headers[i].Value
		switch r.Headers[i].Key {
		case HeaderID:
			v.ID = b
		case HeaderType:
			v.Type = typeString(b)
		case HeaderAuthType:
			v.AuthType = b
		case HeaderAuthID:
			v.AuthID = b
		case HeaderCorrelationID:
			v.CorrelationID = b
		case HeaderCausationID:
			v.CausationID = b
		case HeaderInputKey:
			v.InputKey = b
		case HeaderHistory:
			v.History = string(b) == True
		case HeaderLaneSeq:
			err = parseUint(b, &v.LaneSeq)
		case HeaderInboxOffset, HeaderDecisionSeq, HeaderDecisionEvent, HeaderDecisionEvents:
			var ignored uint64
			err = parseUint(b, &ignored)
		case HeaderTime:
			err = parseTime(b, &v.OccurredAt)
		case HeaderDecidedAt:
			err = parseTime(b, &v.DecidedAt)
		case HeaderInputHash:
			var ignored Hash
			err = parseHash(b, &ignored)
		case HeaderChainHash:
			err = parseHash(b, &v.ChainHash)
		}
		if err != nil {
			return fmt.Errorf("%w: header %s: %w", ErrUndecodable, r.Headers[i].Key, err)
		}
	}
	if v.Type == "" || len(v.ID) == 0 {
		return fmt.Errorf("%w: missing header", ErrUndecodable)
	}
	var ok bool
	if v.Version, ok = versionOf(v.ID, r.Key); !ok && !ofDecisions(v.Type) {
		return fmt.Errorf("%w: header %s: not the key and a version", ErrUndecodable, HeaderID)
	}
	if v.DecidedAt.IsZero() {
		v.DecidedAt = v.RecordedAt
	}
	if v.OccurredAt.IsZero() {
		v.OccurredAt = v.DecidedAt
	}
	return nil
}

// Field numbers of Event, Transition and Shipment that Read looks at.
const (
	eventTransition, eventAfter, eventBodies                                     = 1, 2, 10
	transitionFrom, transitionTo, transitionIrregular, transitionLate            = 1, 2, 5, 6
	shipmentID, shipmentVersion, shipmentOrder, shipmentSeller, shipmentLocation = 1, 2, 3, 4, 5
)

func (v *View) readBody(body []byte, oneof protowire.Number) error {
	malformed := fmt.Errorf
	var found protowire.Number
	for b := body; len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed("%w: body of %s: %w", ErrUndecodable, v.Type, protowire.ParseError(n))
		}
		b = b[n:]
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return malformed("%w: body of %s: %w", ErrUndecodable, v.Type, protowire.ParseError(n))
			}
			b = b[n:]
			continue
		}
		val, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return malformed("%w: body of %s: %w", ErrUndecodable, v.Type, protowire.ParseError(n))
		}
		b = b[n:]
		switch {
		case num == eventTransition:
			if !v.readTransition(val) {
				return malformed("%w: body of %s: malformed transition", ErrUndecodable, v.Type)
			}
		case num == eventAfter:
			v.After = val
		case num >= eventBodies && typeOfNumber(num) != "":
			found = num
		}
	}
	switch {
	case found != oneof:
		return fmt.Errorf("%w: envelope says %s, body is %q", ErrUndecodable, v.Type, typeOfNumber(found))
	case v.After == nil:
		return fmt.Errorf("%w: body of %s has no state after it", ErrUndecodable, v.Type)
	}
	return v.readState()
}

func (v *View) readTransition(b []byte) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		var number uint64
		if typ == protowire.VarintType {
			number, n = protowire.ConsumeVarint(b)
		} else {
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return false
		}
		b = b[n:]
		switch {
		case typ != protowire.VarintType:
		case num == transitionFrom:
			v.From = ledgerv1.Status(int32(number))
		case num == transitionTo:
			v.To = ledgerv1.Status(int32(number))
		case num == transitionIrregular:
			v.Irregular = number != 0
		case num == transitionLate:
			v.Late = number != 0
		}
	}
	return true
}

// readState reads the ids at the beginning of the state. Writers write fields in the order of their numbers and the ids
// have the lowest, so it stops at the first higher number once it has the id and the version.
func (v *View) readState() error {
	var id []byte
	var version uint64
	for b := v.After; len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: state of %s: %w", ErrUndecodable, v.Type, protowire.ParseError(n))
		}
		if num > shipmentLocation && id != nil && version != 0 {
			break
		}
		b = b[n:]
		val, n := consume(b, typ)
		if n < 0 {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return fmt.Errorf("%w: state of %s: %w", ErrUndecodable, v.Type, protowire.ParseError(n))
			}
		}
		b = b[n:]
		switch n := int32(num); n {
		case shipmentID:
			id = val.bytes
		case shipmentVersion:
			version = val.number
		case shipmentOrder:
			v.OrderID = val.bytes
		case shipmentSeller:
			v.SellerID = val.bytes
		case shipmentLocation:
			v.LocationID = val.bytes
		}
	}
	if string(id) != string(v.ShipmentID) || version != v.Version {
		return fmt.Errorf("%w: envelope says %s version %d, body %s version %d", ErrUndecodable,
			v.ShipmentID, v.Version, id, version)
	}
	return nil
}
