// Package shipment holds the rules of the ledger: what a command or a fact does to a shipment.
//
// The shipment, with its order items, services and returns, is the unit of consistency. Two pure functions are all
// there is: Decide turns a state and an input into events or into a reason why there are none, and Evolve turns a state
// and an event into the next state. There is no clock, no configuration, no logger and no I/O: the time and the
// seller's policy are inputs. So folding the events again gives the same state, bit for bit.
//
//	           ┌────────────── labels ◀─────────────┐
//	           ▼                                    │
//	APPROVED ─labels─▶ PACKING_IN_PROGRESS ─────▶ FORM_FAILED
//	   │                       │      ◀─updateAck──┘
//	   │                       ▼
//	   │                    PACKED ─dispatch─▶ READY_TO_DISPATCH ─▶ PICKUP_COMPLETE
//	   │                                                                  │
//	   └───────────── self-ship dispatch ─────────▶ SHIPPED ◀─────────────┘
//	                                                   │
//	   CANCELLED ◀── from anywhere, by units           ▼
//	   RETURN_REQUESTED ─▶ RETURNED                DELIVERED ─▶ COMPLETED
//
// The whole is in table.go, table_returns.go and table_services.go; Diagrams draws it, docs/states.md shows it.
//
// # Rules of the house
//
// State lives on the item and is derived: from its units, how far they have gone (Item.Forward), and the returns that
// stand. A shipment shows its lowest item that is not cancelled. Hold lies over any state.
//
// A command may be rejected; a rejection has a permanent code and a sentence that names the shipment and its state and
// says what to do. A fact happened already. It is applied; or it is a duplicate (its effect is there), stale (the state
// has moved on and it fills no time), waiting (its shipment is not known) or quarantined (it makes no sense). A command
// can be a duplicate too: an attempt, a service or a tracking number told twice.
//
// Facts come in any order. They move items up by rank and never down; what comes late fills only a time that is unknown
// or inferred, and its event is marked late. A jump names the states it passed, and infers their times: a step that
// nobody told of was reached at the earliest time told of any step after it. So the same facts end in the same times in
// whatever order they come. What contradicts is applied and marked irregular: a cancellation of what was shipped or of
// more than is left, a status that was reached after the cancellation, a return of more than is live, a return that
// ends twice in different ways: then the later end stands.
//
// Hold, dates, tracking and the fields of a shipment have no rank. Of these the later word stands, by the time it was
// told; an older one fills what is not known and replaces nothing. Equal times count in the order of arrival.
//
// What a pull finds is known only to have happened before it was seen: its times are inferred, and a notification that
// comes later corrects them. A time that nobody could tell is assumed to be the command's own. Neither holds anybody to
// it: a date may lie before a step whose time was not told.
//
// Clocks are settled from where things stand, not from what just came: what was done stays done, a completion that
// happened before the cancellation counts however late it is told, and a promise is cancelled only when no unit is left
// for it. Plain dates are days in IST, and are compared by day.
//
// What makes no sense: ids that are missing or longer than 256 bytes, the id or seller of another shipment, quantities
// below 1 or above a million, more than 1,000 items, times before 1990 or more than a day ahead of our clock, promises
// more than ten years ahead, and whatever would make the state too large for a record. It is quarantined as a whole.
//
// # What is absent on purpose
//
// No rule crosses shipments: a replacement is an ordinary new shipment. Keys of inputs are not kept in the state; the
// journal knows them. But an input told twice changes nothing the second time even without a key.
//
// # How it fails
//
// It does not: every input gets a decision, and a nil, a zero value or an absurd number is one of those that are
// rejected or quarantined. States, events and inputs are never changed and may share parts, so nobody else may change
// them either.
package shipment
