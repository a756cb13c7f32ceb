package shipment

import (
	"time"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// State is a shipment after an event. A state never changes once it is made: Evolve returns a new one, which may share
// the parts that did not change.
type State = ledgerv1.Shipment

// Event is a transition and the state after it.
type Event = ledgerv1.Event

// Context is what a decision depends on besides the state and the input. The caller gives all of it, because the
// aggregate has no clock and no configuration.
type Context struct {
	// Now is the time of the decision, in UTC. Every rule uses this time and no other, although it may lie before that of
	// an earlier decision: clocks are set, and lanes change hands.
	Now time.Time
	// UpdatedAt becomes updated_at of the states. Zero means Now.
	UpdatedAt time.Time
	// SellerID is the seller who sends a command. To a seller, another seller's shipment does not exist. Facts name
	// their seller themselves.
	SellerID string
	// Policy is the seller's configuration.
	Policy Policy
	// History marks a shipment that this input creates as history. On a shipment that exists it changes nothing: an import
	// must not silence live orders.
	History bool
}

// Policy is the configuration of a seller.
type Policy struct {
	// Own means that this system is the seller's marketplace: it packs and ships. Otherwise another marketplace reports
	// the facts, and commands are refused, because it would never learn of them.
	Own bool
	// Fulfilment is the flow of shipments whose notification names none.
	Fulfilment ledgerv1.Fulfilment
	// PackWithin is the time from the request for labels until the documents are due.
	PackWithin time.Duration
	// ReversePickupWithin is the time from the approval of a self-ship customer return until its pickup is due.
	// Zero means that there is no such promise, and no clock: the marketplace's API has no date for it.
	ReversePickupWithin time.Duration
	// AbsoluteCancellations reads the quantity of a cancellation fact as the total so far, not as units on top of it.
	AbsoluteCancellations bool
	// CancelledBy names the actor for each reason of a cancellation fact. For other reasons the actor is unknown.
	CancelledBy map[string]ledgerv1.CancelledBy
}

// Decision is the outcome of an input.
type Decision struct {
	// Outcome is accepted, rejected or duplicate for a command; applied, duplicate, stale, waiting or quarantined for a
	// fact. A duplicate was already applied and changes nothing, with one exception: the echo of a cancellation cancels
	// nothing, but can add the reason to the cancellation that it repeats, and then has an event.
	Outcome ledgerv1.Outcome
	// Events are to be appended in order and atomically, each with its `after` and version. None when nothing changed.
	Events []*Event
	// State is the state after the events, or the unchanged state if there are none.
	State *State
	// Reason is a permanent code, Message a sentence for people. Both are set unless the input was simply applied.
	Reason  Code
	Message string
	// UnknownItems are the order item ids that the input names and the shipment does not have.
	UnknownItems []string
	// LeftOut names the parts of a fact that were not applied, each with the reason.
	LeftOut []string
}
