package events

import (
	"errors"
	"fmt"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

var (
	// ErrUndecodable is wrapped by every error of this package about a record that cannot be read.
	ErrUndecodable = errors.New("undecodable record")
	// ErrUnknownType means that the record's type is not in this version's catalogue: skip the record, or dead-letter it.
	ErrUnknownType = fmt.Errorf("%w: unknown type", ErrUndecodable)
	// ErrNull means that the record has no value. The ledger writes no such record, but anybody else can.
	ErrNull = fmt.Errorf("%w: null value", ErrUndecodable)
)

// Decode reads a record of TopicEvents. On an error, the envelope holds what could be read.
func Decode(r *Record) (Envelope, *ledgerv1.Event, error) {
	env, err := DecodeEnvelope(r)
	if err != nil {
		return env, nil, err
	}
	if len(r.Value) == 0 {
		return env, nil, ErrNull
	}
	if !known(env.Type) {
		return env, nil, fmt.Errorf("%w %q", ErrUnknownType, env.Type)
	}
	event := new(ledgerv1.Event)
	if err := event.UnmarshalVT(r.Value); err != nil {
		return env, nil, fmt.Errorf("%w: body of %s: %w", ErrUndecodable, env.Type, err)
	}
	switch {
	case TypeOf(event) != env.Type:
		return env, nil, fmt.Errorf("%w: envelope says %s, body is %q", ErrUndecodable, env.Type, TypeOf(event))
	case event.GetAfter() == nil:
		return env, nil, fmt.Errorf("%w: body of %s has no state after it", ErrUndecodable, env.Type)
	case event.GetAfter().GetShipmentId() != env.ShipmentID || event.GetAfter().GetVersion() != env.Version:
		return env, nil, fmt.Errorf("%w: envelope says %s version %d, body %s version %d", ErrUndecodable,
			env.ShipmentID, env.Version, event.GetAfter().GetShipmentId(), event.GetAfter().GetVersion())
	}
	return env, event, nil
}

// DecodeDecision reads a record of TopicDecisions. It returns a decision or the voiding of earlier ones; the other is
// nil.
func DecodeDecision(r *Record) (Envelope, *ledgerv1.Decision, *ledgerv1.DecisionsVoided, error) {
	env, err := DecodeEnvelope(r)
	if err != nil {
		return env, nil, nil, err
	}
	if len(r.Value) == 0 {
		return env, nil, nil, ErrNull
	}
	switch env.Type {
	case TypeDecision:
		d := new(ledgerv1.Decision)
		if err := d.UnmarshalVT(r.Value); err != nil {
			return env, nil, nil, fmt.Errorf("%w: body of %s: %w", ErrUndecodable, env.Type, err)
		}
		env.ReadDecision(d)
		return env, d, nil, nil
	case TypeDecisionsVoided:
		v := new(ledgerv1.DecisionsVoided)
		if err := v.UnmarshalVT(r.Value); err != nil {
			return env, nil, nil, fmt.Errorf("%w: body of %s: %w", ErrUndecodable, env.Type, err)
		}
		return env, nil, v, nil
	default:
		return env, nil, nil, fmt.Errorf("%w %q", ErrUnknownType, env.Type)
	}
}
