package journal

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// toy is an input of an aggregate that is small enough to misbehave on demand. Its events and states are the real ones.
type toy struct {
	shipment.Dispatch `json:"-"` // The sum is closed: only a type that embeds a member of it is in it.
	Kind              string
	Fact              bool
	Text              string
	Events            int
	At                time.Time
}

func (y toy) body() []byte {
	y.Fact = true
	b, err := json.Marshal(y)
	if err != nil {
		panic(err)
	}
	return b
}

func decodeToy(_, _ string, body []byte) (shipment.Input, error) {
	var y toy
	if err := json.Unmarshal(body, &y); err != nil {
		return nil, err
	}
	if y.Kind == "undecodable" {
		return nil, errors.New("no such notification")
	}
	return y, nil
}

func decideToy(s *shipment.State, in shipment.Input, c shipment.Context) shipment.Decision {
	y, ok := in.(toy)
	if !ok {
		panic("not a toy")
	}
	yes := ledgerv1.Outcome_OUTCOME_ACCEPTED
	if y.Fact {
		yes = ledgerv1.Outcome_OUTCOME_APPLIED
	}
	if y.Kind == "echo" {
		yes = ledgerv1.Outcome_OUTCOME_DUPLICATE
	}
	id, text, _ := strings.Cut(y.Text, "|")
	switch {
	case y.Kind == "panic":
		panic("the input asked for it")
	case y.Kind == "create" && s == nil:
		after := &ledgerv1.Shipment{
			ShipmentId: id, Version: 1, OrderId: text, SellerId: c.SellerID, UpdatedAt: timestamppb.New(c.UpdatedAt),
			History: c.History,
		}
		created := &ledgerv1.ShipmentCreated{At: moment(y.At, c.Now)}
		return shipment.Decision{Outcome: yes, State: after, Events: []*shipment.Event{{
			After: after, Body: &ledgerv1.Event_ShipmentCreated{ShipmentCreated: created},
		}}}
	case y.Kind == "create":
		return shipment.Decision{Outcome: ledgerv1.Outcome_OUTCOME_DUPLICATE, Reason: shipment.ReasonAlreadyKnown, State: s}
	case s == nil && y.Fact:
		return shipment.Decision{Outcome: ledgerv1.Outcome_OUTCOME_WAITING, Reason: shipment.ReasonUnknownShipment}
	case s == nil:
		return shipment.Decision{Outcome: ledgerv1.Outcome_OUTCOME_REJECTED, Reason: shipment.CodeInvalidShipments, Message: "unknown"}
	case y.Kind == "reject":
		return shipment.Decision{Outcome: ledgerv1.Outcome_OUTCOME_REJECTED, Reason: shipment.CodeInvalidItemState, Message: "no", State: s}
	case y.Kind == "stale":
		return shipment.Decision{Outcome: ledgerv1.Outcome_OUTCOME_STALE, Reason: shipment.ReasonOutranked, State: s}
	case y.Kind == "crooked":
		after := s.CloneVT()
		after.Version += 2
		return shipment.Decision{Outcome: yes, State: after, Events: []*shipment.Event{{
			After: after, Body: &ledgerv1.Event_PropertiesUpdated{PropertiesUpdated: &ledgerv1.PropertiesUpdated{}},
		}}}
	}
	d := shipment.Decision{Outcome: yes}
	for range max(1, y.Events) {
		after := s.CloneVT()
		after.Version++
		if y.Text != "" {
			after.OrderId = y.Text
		}
		after.History = after.GetHistory() || y.Kind == "mark" && c.History
		after.UpdatedAt = timestamppb.New(c.UpdatedAt)
		d.Events = append(d.Events, &shipment.Event{
			After: after,
			Body:  &ledgerv1.Event_PropertiesUpdated{PropertiesUpdated: &ledgerv1.PropertiesUpdated{At: moment(y.At, c.Now)}},
		})
		s = after
	}
	d.State = s
	return d
}

func moment(at, now time.Time) *ledgerv1.Moment {
	if at.IsZero() {
		at = now
	}
	return &ledgerv1.Moment{At: timestamppb.New(at)}
}
