package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// input is what a lane decides: a command, a record of the inbox, or one that has waited.
type input struct {
	call    *call         // Nil but for commands.
	waiting *waitingInput // Nil but for what has waited.
	record  InboxRecord   // Key, hash and actor; of commands too.
	cause   string        // The causation id.
	parsed  shipment.Input

	// foreign says why the record can only be quarantined.
	foreign error
	// expired ends the waiting by age, without another decision.
	expired bool
	// noExpand leaves what waits for this input's shipment to a later batch.
	noExpand bool
	// forced is the error of a broker that refused this input's records; bare leaves the body out too.
	forced error
	bare   bool

	settled bool // Its outcome is committed.
	inDoubt bool // A commit that held it has an unknown outcome.
}

func (l *lane) commandInput(c *call) *input {
	m := &c.cmd
	return &input{
		call: c, parsed: m.Input, cause: m.CausationID,
		record: InboxRecord{
			ShipmentID: m.ShipmentID, Key: c.key, Hash: m.Hash, SellerID: m.SellerID, CorrelationID: m.CorrelationID,
			AuthType: m.AuthType, AuthID: m.AuthID, TraceParent: m.TraceParent, Offset: events.NoInboxOffset,
		},
	}
}

func (l *lane) recordInput(r InboxRecord, foreign error) *input {
	return &input{record: r, foreign: foreign, cause: l.inboxCause(r.Offset)}
}

func (l *lane) waitingInput(w *waitingInput, expired bool) *input {
	return &input{waiting: w, record: w.Record, expired: expired, cause: l.inboxCause(w.Record.Offset)}
}

func (l *lane) inboxCause(offset int64) string {
	return "inbox/" + strconv.Itoa(int(l.id)) + "/" + strconv.FormatInt(offset, 10)
}

func (in *input) isFact() bool {
	return in.call == nil || shipment.IsFact(in.parsed)
}

// kind names the input in decisions, also where it can't be decoded.
func (in *input) kind() string {
	if in.parsed == nil {
		return "notification.unreadable"
	}
	return shipment.TypeOf(in.parsed)
}

// refuse returns the decision about an input that can't be decided at all: a fact is quarantined, a command rejected.
func (in *input) refuse(code shipment.Code, message string) shipment.Decision {
	d := shipment.Decision{Outcome: ledgerv1.Outcome_OUTCOME_REJECTED, Reason: code, Message: message}
	if in.isFact() {
		d.Outcome = ledgerv1.Outcome_OUTCOME_QUARANTINED
	}
	return d
}

// decide calls the aggregate, and survives it: no input may stop a lane.
func (l *lane) decide(in *input, state *shipment.State, now time.Time) (d shipment.Decision) {
	switch {
	case in.foreign != nil:
		return in.refuse(shipment.ReasonBadID, in.foreign.Error())
	case in.forced != nil:
		return in.refuse(shipment.ReasonTooLarge, "the broker refused the records: "+in.forced.Error())
	case in.expired:
		return in.refuse(shipment.ReasonWaitedTooLong, "its shipment did not become known in time")
	}
	defer func() {
		if r := recover(); r != nil {
			l.logFailed(in, in.kindSafe(), fmt.Errorf("panic: %v", r), slog.String("stack", string(debug.Stack())))
			d = in.refuse(shipment.ReasonFailed, "the input could not be decided")
		}
	}()
	if err := l.parse(in); err != nil {
		return in.refuse(shipment.ReasonBadBody, err.Error())
	}
	d = l.j.decide(state, in.parsed, shipment.Context{
		Now: now, SellerID: in.record.SellerID, Policy: l.policy(in, state),
	})
	if err := check(in.record.ShipmentID, state, &d); err != nil {
		l.logFailed(in, shipment.TypeOf(in.parsed), err)
		return in.refuse(shipment.ReasonFailed, "the input could not be decided")
	}
	return d
}

func (l *lane) logFailed(in *input, kind string, err error, more ...slog.Attr) {
	l.log.LogAttrs(context.Background(), slog.LevelError, "input failed", append([]slog.Attr{
		slog.String("shipment_id", in.record.ShipmentID), slog.Int64("inbox_offset", in.record.Offset),
		slog.String("input_type", kind), slog.Any("err", err),
	}, more...)...)
}

// policy asks for what is configured for the shipment's seller and location, which at its creation only the input
// knows.
func (l *lane) policy(in *input, state *shipment.State) shipment.Policy {
	seller, location := state.GetSellerId(), state.GetLocationId()
	if created, ok := in.parsed.(shipment.Created); ok && state == nil {
		seller, location = created.SellerID, created.LocationID
	}
	if seller == "" {
		seller = in.record.SellerID
	}
	return l.j.deps.Policy(seller, location)
}

func (in *input) kindSafe() (kind string) {
	defer func() {
		if recover() != nil {
			kind = "unknown"
		}
	}()
	return in.kind()
}

// parse decodes an inbox record, once.
func (l *lane) parse(in *input) error {
	if in.parsed != nil {
		return nil
	}
	parsed, err := l.j.deps.Decode(in.record.ShipmentID, in.record.SellerID, in.record.Body)
	if err == nil && parsed == nil {
		err = errors.New("decoded to nothing")
	}
	in.parsed = parsed
	return err
}

// name decodes what was not decided anew, so that its decision can say what it was.
func (l *lane) name(in *input) {
	defer func() { _ = recover() }() // It stays nameless, as it was the first time.
	_ = l.parse(in)
}

// check holds a decision to what every reader of the ledger relies on.
func check(shipmentID string, state *shipment.State, d *shipment.Decision) error {
	version := state.GetVersion()
	for _, e := range d.Events {
		version++
		switch after := e.GetAfter(); {
		case after == nil || events.TypeOf(e) == "":
			return errors.New("an event without a body or a state")
		case after.GetShipmentId() != shipmentID:
			return fmt.Errorf("an event of shipment %q", after.GetShipmentId())
		case after.GetVersion() != version:
			return fmt.Errorf("an event of version %d after %d", after.GetVersion(), version-1)
		}
	}
	if d.Outcome == ledgerv1.Outcome_OUTCOME_UNSPECIFIED {
		return errors.New("no outcome")
	}
	if len(d.Events) > 0 && (d.Outcome == ledgerv1.Outcome_OUTCOME_REJECTED ||
		d.Outcome == ledgerv1.Outcome_OUTCOME_WAITING || d.Outcome == ledgerv1.Outcome_OUTCOME_QUARANTINED) {
		return fmt.Errorf("%d events of an input that was refused", len(d.Events))
	}
	return nil
}
