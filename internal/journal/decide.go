package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// decider decides single inputs against a state. No input stops its lane, whatever the rules do with it.
type decider struct {
	decide decideFunc
	decode func(shipmentID, sellerID string, body []byte) (shipment.Input, error)
	policy func(sellerID, locationID string) shipment.Policy
	clock  func(sellerID string) time.Time // Nil means the wall clock for all.
	log    *slog.Logger
}

// ambiguous is the message of ReasonAmbiguous.
const ambiguous = "several sellers have the return and it names none, or several shipments have the order item and " +
	"it names none"

// run calls the aggregate. A panic, or a decision that readers could not rely on, quarantines or rejects the input.
func (d *decider) run(in *input, state *shipment.State, at times) (out shipment.Decision) {
	in.decidedAt = d.timeOf(in.record.SellerID, at.wall)
	switch {
	case in.foreign != nil:
		return in.refuse(shipment.ReasonBadID, in.foreign.Error())
	case in.forced != nil:
		return in.refuse(shipment.ReasonTooLarge, "the broker rejected the records: "+in.forced.Error())
	case in.record.Ambiguous:
		d.name(in)
		return in.refuse(shipment.ReasonAmbiguous, ambiguous)
	case in.expired:
		return in.refuse(shipment.ReasonWaitedTooLong, "its shipment did not become known in time")
	}
	defer func() {
		if r := recover(); r != nil {
			d.logFailed(in, in.kindSafe(), fmt.Errorf("panic: %v", r), slog.String("stack", string(debug.Stack())))
			out = in.refuse(shipment.ReasonFailed, "the input could not be decided")
		}
	}()
	if err := d.parse(in); err != nil {
		return in.refuse(shipment.ReasonBadBody, err.Error())
	}
	if !in.mayConcern(state) {
		return in.refuse(shipment.ReasonOtherSeller, "The shipment is of a seller that the sender does not speak for.")
	}
	seller, _ := sellerOf(in, state)
	in.decidedAt = d.timeOf(seller, at.wall)
	out = d.decide(state, in.parsed, shipment.Context{
		Now: in.decidedAt, UpdatedAt: at.updated, SellerID: in.record.SellerID, Policy: d.policyOf(in, state),
		History: in.record.History,
	})
	if err := check(in.record.ShipmentID, state, &out); err != nil {
		d.logFailed(in, shipment.TypeOf(in.parsed), err)
		return in.refuse(shipment.ReasonFailed, "the input could not be decided")
	}
	return out
}

func (d *decider) logFailed(in *input, kind string, err error, more ...slog.Attr) {
	d.log.LogAttrs(context.Background(), slog.LevelError, "input failed", append([]slog.Attr{
		slog.String("shipment_id", in.record.ShipmentID), slog.Int64("inbox_offset", in.record.Offset),
		slog.String("input_type", kind), slog.Any("err", err),
	}, more...)...)
}

// policyOf returns the configured policy of the shipment's seller and location.
func (d *decider) policyOf(in *input, state *shipment.State) shipment.Policy {
	return d.policy(sellerOf(in, state))
}

// timeOf returns the time at which an input of a seller is decided: the seller's own, if the configuration gives it
// one, else the wall clock.
func (d *decider) timeOf(sellerID string, wall time.Time) time.Time {
	if d.clock == nil {
		return wall
	}
	if at := d.clock(sellerID); !at.IsZero() {
		return at.UTC().Truncate(time.Millisecond)
	}
	return wall
}

// sellerOf returns the shipment's seller and location. At the creation only the input names them.
func sellerOf(in *input, state *shipment.State) (seller, location string) {
	seller, location = state.GetSellerId(), state.GetLocationId()
	if created, ok := in.parsed.(shipment.Created); ok && state == nil {
		seller, location = created.SellerID, created.LocationID
	}
	if seller == "" {
		seller = in.record.SellerID
	}
	return seller, location
}

// parse decodes an inbox record, once.
func (d *decider) parse(in *input) error {
	if in.parsed != nil {
		return nil
	}
	parsed, err := d.decode(in.record.ShipmentID, in.record.SellerID, in.record.Body)
	if err == nil && parsed == nil {
		err = errors.New("the decoder returned no input")
	}
	in.parsed = parsed
	return err
}

// name decodes an input that is not decided again, so that its decision can carry its type.
func (d *decider) name(in *input) {
	defer func() { _ = recover() }() // Its earlier decision had no type either.
	_ = d.parse(in)
}

// check checks a decision for everything that readers of the ledger rely on. A mistake in the rules must not get into
// the ledger: it can't be taken back.
func check(shipmentID string, state *shipment.State, d *shipment.Decision) error {
	version := state.GetVersion()
	for _, e := range d.Events {
		version++
		switch after := e.GetAfter(); {
		case after == nil || events.TypeOf(e) == "":
			return errors.New("check decision: an event has no body or no state")
		case after.GetShipmentId() != shipmentID:
			return fmt.Errorf("check decision: an event is of shipment %q", after.GetShipmentId())
		case after.GetVersion() != version:
			return fmt.Errorf("check decision: version %d follows %d", after.GetVersion(), version-1)
		}
	}
	if d.Outcome == ledgerv1.Outcome_OUTCOME_UNSPECIFIED {
		return errors.New("check decision: no outcome")
	}
	if len(d.Events) > 0 && (d.Outcome == ledgerv1.Outcome_OUTCOME_REJECTED ||
		d.Outcome == ledgerv1.Outcome_OUTCOME_WAITING || d.Outcome == ledgerv1.Outcome_OUTCOME_QUARANTINED) {
		return fmt.Errorf("check decision: %d events of an input that was refused", len(d.Events))
	}
	return nil
}
