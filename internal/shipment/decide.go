package shipment

import (
	"time"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// State is a shipment after an event. Values are never changed once made: Evolve returns a new one, which may share
// the parts that did not change.
type State = ledgerv1.Shipment

// Event is a transition and the state after it.
type Event = ledgerv1.Event

// Context is what a decision depends on beside the state and the input. All of it is an input: the aggregate has no
// clock and no configuration of its own.
type Context struct {
	// Now is the time of recording, in UTC, not before the state's UpdatedAt.
	Now time.Time
	// SellerID is the tenant who sends a command; another seller's shipment is not found. Facts name their seller
	// themselves.
	SellerID string
	// Policy is what the configuration says for the seller.
	Policy Policy
}

// Policy is what the configuration says for a seller.
type Policy struct {
	// Own says that this system is the marketplace of the seller: it packs and ships. Otherwise the facts come from a
	// marketplace, and commands that would change it are refused.
	Own bool
	// Fulfilment is the flow of shipments that do not say theirs.
	Fulfilment ledgerv1.Fulfilment
	// PackWithin is the time from the request for labels until the documents are due.
	PackWithin time.Duration
	// ReversePickupWithin is the time from the approval of a self-ship customer return until its pickup is due.
	// Zero means that there is no such promise, and no clock.
	ReversePickupWithin time.Duration
	// AbsoluteCancellations reads the quantity of a cancellation fact as the total cancelled, not as one more.
	AbsoluteCancellations bool
	// CancelledBy says who stands behind a reason of a cancellation fact. Reasons that it lacks are unknown.
	CancelledBy map[string]ledgerv1.CancelledBy
}

// Decision is what became of an input.
type Decision struct {
	// Outcome is accepted or rejected for a command; applied, duplicate, stale, waiting or quarantined for a fact;
	// duplicate for a command whose effect is already there and which therefore changes nothing. One duplicate has an
	// event: the echo of a cancellation cancels nothing, but can tell the reason of what was cancelled.
	Outcome ledgerv1.Outcome
	// Events are what to append, in order and atomically, each with its `after` and version. None when nothing changed.
	Events []*Event
	// State is the state after the events; the one given when there are none.
	State *State
	// Reason is a permanent code, Message a sentence for people. Set for everything but a plain yes.
	Reason  Code
	Message string
	// UnknownItems are the order item ids that the input names and the shipment does not have.
	UnknownItems []string
}
