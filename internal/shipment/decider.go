package shipment

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Decide decides an input; s is nil while the shipment is not known. It changes neither the state nor the input. Events
// and states may share parts of both, so the caller must not change them afterwards either. It answers every input and
// never panics, be it a nil, a zero value or an absurd number.
func Decide(s *State, in Input, c Context) Decision {
	x := newDecider(s, c)
	x.decide(x.sensible(in))
	if x.oversized {
		if short, what, ok := shortened(in); ok {
			x = newDecider(s, c)
			x.brief = true
			if what != "" {
				x.leaveOut(what)
			}
			x.decide(x.sensible(short))
		}
	}
	x.nameLeftOut()
	return x.d
}

func newDecider(s *State, c Context) decider {
	x := decider{Context: c, s: s, d: Decision{State: s}, now: c.Now, stamp: timestamppb.New(c.Now)}
	x.updated = x.stamp
	if !c.UpdatedAt.IsZero() {
		x.updated = timestamppb.New(c.UpdatedAt)
	}
	return x
}

// decider holds the working state of one decision. It has a method for each input and each step of a rule, far more
// than thirty: they are the rules, and what they share is this state.
type decider struct {
	Context
	d Decision
	// s is the state after the events so far.
	s *State
	// now and stamp are the time of the decision. updated is written to the states, and no rule reads it.
	now            time.Time
	stamp, updated *timestamppb.Timestamp
	// seen and outranked say why a fact changed nothing: it was applied before, or the state has moved on.
	seen, outranked bool
	// leftOut names the parts of the input that were left out.
	leftOut []string
	// describes says that the input describes a whole shipment, brief that its texts are shortened already. oversized says
	// that its events were too large. See size.go.
	describes, brief, oversized bool
}

// decide dispatches an input by its type. Before each rule it checks, in this order, that the input makes sense, that
// the shipment is known, and that the caller may do this.
func (x *decider) decide(in Input) {
	switch f := in.(type) {
	case Created:
		if x.sane(f.Fact) {
			x.describes = true
			x.created(f)
		}
	case Hold:
		x.guardFact(f.Fact, func() { x.hold(f) })
	case Unhold:
		x.guardFact(f.Fact, func() { x.unhold(f) })
	case StatusReached:
		x.guardFact(f.Fact, func() { x.statusReached(f) })
	case DatesChanged:
		x.guardFact(f.Fact, func() { x.datesChanged(f) })
	case Cancelled:
		x.guardFact(f.Fact, func() { x.cancelled(f) })
	case FormsFailed:
		x.guardFact(f.Fact, func() { x.formsFailed(f) })
	case ReturnReported:
		x.guardFact(f.Fact, func() { x.returnReported(f) })
	case ReturnTracked:
		x.guardFact(f.Fact, func() { x.returnTracked(f) })
	case ReturnExpected:
		x.guardFact(f.Fact, func() { x.returnExpected(f) })
	case ReturnReached:
		x.guardFact(f.Fact, func() { x.returnReached(f) })
	case Observed:
		x.describes = true
		x.guardFact(f.Fact, func() { x.observed(f) })
	case Unintelligible:
		x.unintelligible(f)
	default:
		x.command(in)
	}
}

// command dispatches a command by its type. Pointers to inputs are no inputs, and neither is nil.
func (x *decider) command(in Input) {
	switch c := in.(type) {
	case RequestLabels:
		x.guardCommand(c.LocationID, func() { x.requestLabels(c) })
	case CompletePacking:
		x.guardCommand("", func() { x.completePacking(c) })
	case FailForms:
		x.guardCommand("", func() { x.failForms(c) })
	case Dispatch:
		x.guardCommand(c.LocationID, x.dispatch)
	case Cancel:
		x.guardCommand(c.LocationID, func() { x.cancel(c) })
	case AcknowledgeForms:
		x.guardCommand("", func() { x.acknowledgeForms(c) })
	case DispatchSelfShip:
		x.guardCommand(c.LocationID, func() { x.dispatchSelfShip(c) })
	case AttemptDelivery:
		x.guardCommand(c.LocationID, func() { x.attemptDelivery(c) })
	case ConfirmDelivery:
		x.guardCommand(c.LocationID, func() { x.confirmDelivery(c) })
	case UpdateTracking:
		x.guardCommand("", func() { x.updateTracking(c) })
	case ActivateService:
		x.guardCommand("", func() { x.activateService(c) })
	case AttemptService:
		x.guardCommand("", func() { x.attemptService(c) })
	case CompleteService:
		x.guardCommand("", func() { x.completeService(c) })
	case RequestTechVisit:
		x.guardCommand("", func() { x.requestTechVisit(c) })
	case ApproveReturn:
		x.guardCommand(c.LocationID, func() { x.approveReturn(c) })
	case RejectReturn:
		x.guardCommand(c.LocationID, func() { x.rejectReturn(c) })
	case CompleteReturn:
		x.guardCommand(c.LocationID, func() { x.completeReturn(c) })
	case PickUpReturn:
		x.guardCommand(c.LocationID, func() { x.pickUpReturn(c) })
	case AttemptPickup:
		x.guardCommand(c.LocationID, func() { x.attemptPickup(c) })
	case CancelReturn:
		x.guardCommand(c.LocationID, func() { x.cancelReturn(c) })
	default:
		x.reject(CodeInvalidRequest, "The type of the input is unknown.")
	}
}

// guardFact applies the rule of a fact to a known shipment. A fact that makes no sense is quarantined. A fact whose
// shipment is unknown waits, because notifications overtake one another.
func (x *decider) guardFact(f Fact, rule func()) {
	switch {
	case !x.sane(f):
	case x.s == nil:
		x.d.Outcome, x.d.Reason = ledgerv1.Outcome_OUTCOME_WAITING, ReasonUnknownShipment
		x.d.Message = "Shipment " + f.ShipmentID + " is not known yet; the fact waits for its creation."
	default:
		rule()
	}
}

// guardCommand applies the rule of a command, or refuses the command. The shipment must be the caller's and at the
// given location, and this system must be its marketplace. Another seller's shipment is reported as unknown, so that
// ids cannot be probed.
func (x *decider) guardCommand(location string, rule func()) {
	switch {
	case x.s == nil || x.s.GetSellerId() != x.SellerID:
		x.reject(CodeInvalidShipments, "There is no such shipment; check its id.")
	case location != "" && x.s.GetLocationId() != "" && location != x.s.GetLocationId():
		x.refuse(CodeInvalidShipments, "It is not at location "+location+"; name location "+x.s.GetLocationId()+".")
	case !x.Policy.Own:
		x.refuse(CodeOperationNotAllowed, "Its marketplace is another system; send the command there.")
	default:
		rule()
	}
}

// emit appends an event. It folds the event into the state with the code that Evolve uses, so that the two cannot
// differ, and derives the transition from the states before and after.
func (x *decider) emit(e *Event) {
	if e.Transition == nil {
		e.Transition = &ledgerv1.Transition{}
	}
	d := newDraft(x.s)
	d.UpdatedAt = x.updated
	d.apply(e)
	e.After = d.State
	describe(e, x.s, d.State)
	x.s = d.State
	if x.d.Events == nil {
		// Few decisions have more than two.
		x.d.Events = make([]*Event, 0, 2)
	}
	x.d.Events = append(x.d.Events, e)
}

// follow emits an event and the events that follow from it.
func (x *decider) follow(e *Event, at *ledgerv1.Moment) {
	x.emit(e)
	x.followUps(at)
}

// accept ends a command. If it emitted nothing, it was already applied.
func (x *decider) accept() {
	if len(x.d.Events) == 0 {
		x.d.Outcome, x.d.Reason = ledgerv1.Outcome_OUTCOME_DUPLICATE, ReasonAlreadyKnown
		x.d.Message = x.subject() + " Nothing was left to do."
		return
	}
	x.end(ledgerv1.Outcome_OUTCOME_ACCEPTED)
}

// settle ends a fact: it is applied if it changed something, else the outcome says why it did not.
func (x *decider) settle(unknown []string) {
	if x.ended() {
		return
	}
	x.d.UnknownItems = unknown
	switch {
	case len(x.d.Events) > 0:
		if len(unknown) > 0 {
			x.d.Reason = ReasonUnknownItems
			x.d.Message = x.subject() + " It has no items " + listOf(unknown) + "; the rest was applied."
		}
		x.end(ledgerv1.Outcome_OUTCOME_APPLIED)
	case len(unknown) > 0 && !x.seen && !x.outranked:
		// If the shipment has none of the items, the fact probably names the wrong shipment.
		x.quarantine(ReasonUnknownItems, "It has none of the items "+listOf(unknown)+".")
		x.d.UnknownItems = unknown
	case x.outranked && !x.seen:
		x.d.Outcome, x.d.Reason = ledgerv1.Outcome_OUTCOME_STALE, ReasonOutranked
		x.d.Message = x.subject() + " The fact came too late to change anything."
	default:
		x.d.Outcome, x.d.Reason = ledgerv1.Outcome_OUTCOME_DUPLICATE, ReasonAlreadyKnown
		x.d.Message = x.subject() + " The fact reports nothing new."
	}
}

// ended reports whether a rule has ended the decision already.
func (x *decider) ended() bool { return x.d.Outcome != ledgerv1.Outcome_OUTCOME_UNSPECIFIED }

// end accepts the events, unless they make the state too large for a record.
func (x *decider) end(o ledgerv1.Outcome) {
	if !x.fits(o) {
		x.tooLarge(o)
		return
	}
	x.d.Outcome, x.d.State = o, x.s
}

// quarantine records that a fact makes no sense. None of it is applied.
func (x *decider) quarantine(reason Code, message string) {
	x.drop()
	x.d.Outcome, x.d.Reason = ledgerv1.Outcome_OUTCOME_QUARANTINED, reason
	x.d.Message = x.subject() + " " + message
}

// reject refuses a command without naming the shipment, which may be another seller's.
func (x *decider) reject(code Code, message string) {
	x.drop()
	x.d.Outcome, x.d.Reason, x.d.Message = ledgerv1.Outcome_OUTCOME_REJECTED, code, message
}

// refuse refuses a command. Its sentence names the shipment and its state, and the message says what to do.
func (x *decider) refuse(code Code, message string) {
	x.reject(code, x.subject()+" "+message)
}

// stale ends an input that arrived too late.
func (x *decider) stale(message string) {
	x.drop()
	x.d.Outcome, x.d.Reason = ledgerv1.Outcome_OUTCOME_STALE, ReasonOutranked
	x.d.Message = x.subject() + " " + message
}

// drop takes back the events.
func (x *decider) drop() {
	x.d.Events, x.s = nil, x.d.State
}

// tooLarge ends an input whose events would not fit into a record. A lane must not stop at an input that Kafka refuses.
func (x *decider) tooLarge(o ledgerv1.Outcome) {
	const message = "The shipment would become too large to record."
	if o == ledgerv1.Outcome_OUTCOME_ACCEPTED {
		x.drop()
		x.refuse(CodeInvalidRequest, message)
		return
	}
	x.quarantine(ReasonTooLarge, message)
}

// subject is the beginning of every message: the shipment and its state.
func (x *decider) subject() string {
	if x.s == nil {
		return "The shipment is not known."
	}
	held := ""
	if x.s.GetOnHold() {
		held = ", on hold"
	}
	return "Shipment " + x.s.GetShipmentId() + " is " + statusName(x.s.GetStatus()) + held + "."
}

// statusName is the marketplace's word for a state.
func statusName(s ledgerv1.Status) string {
	return strings.TrimPrefix(s.String(), "STATUS_")
}

// listOf lists a few ids. The rest is left out, because messages are stored.
func listOf(ids []string) string {
	const most = 5
	var b strings.Builder
	for i, id := range ids {
		if i == most {
			b.WriteString(" and more")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(clip(id))
	}
	return b.String()
}
