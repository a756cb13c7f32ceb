// Package shipment holds the rules of the ledger: what a command or a fact does to a shipment.
//
// The shipment, with its order items, services and returns, is the unit of consistency. The package has two pure
// functions: Decide turns a state and an input into events or into a reason why there are none, and Evolve turns a
// state and an event into the next state. They use no clock, no configuration, no logger and no I/O: the time and the
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
// The tables in table.go, table_returns.go and table_services.go hold every transition; Diagrams draws them, and
// docs/states.md shows the drawings.
//
// # Rules
//
// The item holds the state, and it is derived: from its units, how far they have gone (Item.Forward), and its returns,
// except rejected and cancelled ones. A shipment shows its lowest item that is not cancelled. A hold is not a state: a
// shipment can be on hold in any state.
//
// A command may be rejected. A rejection has a permanent code and a sentence that names the shipment and its state and
// says what to do. A fact has already happened, so nobody can reject it. It is applied, or it is a duplicate (already
// applied), stale (the state has moved on and the fact supplies no missing time), waiting (its shipment is not known)
// or quarantined (it makes no sense). A command can be a duplicate too: a service or a tracking number that was already
// reported. An attempt always counts.
//
// Facts arrive in any order. They move items up by rank and never down. A fact that arrives late fills only times that
// are unknown or inferred, and its event is marked late. A jump names the states that it passed and infers their times:
// a step that nobody reported was reached at the earliest time reported for any step after it. So the same facts end in
// the same times in whatever order they arrive. A contradiction is applied and marked irregular: a cancellation of
// shipped units or of more units than are left, a status that was reached after the cancellation, a return of more
// units than are live. Of two ends of one return, the first stands, and the other is stale.
//
// Units end alike in any order too, except where a cancellation meets shipping or a return of the same item. Whether
// units were cancelled before they were shipped, or on their way, is judged by how far the item has got when the
// cancellation arrives, as everything that moves a state is judged by rank and never by time alone. If the cancellation
// comes first, a return revives the units; if the return comes first, they are shipped units that were cancelled, which
// is irregular.
//
// Holds, dates, tracking and the fields of a shipment have no rank. The latest report wins for each field, by the time
// of the report; an older report fills what is unknown and replaces nothing. Reports of the same time count in the
// order of arrival. A newer report of the value that is known confirms it: an event says so, because a report between
// the two may still arrive. A pull confirms only what the marketplace has changed since.
//
// A pull shows only that something happened before it was seen. Its times are inferred, and a notification that arrives
// later corrects them. If a command gives no time, the time of the command is assumed. Neither kind of time restricts
// later inputs: a date may be before a step whose time was not reported.
//
// Clocks are settled from the whole state, not from the last event: a completion that happened before the cancellation
// counts however late it is reported, and a promise is cancelled only when no unit is left for it. The due time is that
// which was reported last before the clock ended, however late the report arrives, so a clock keeps the reports. A
// promise that was first made after the end is cancelled. The dates of commands are judged by the day in IST.
//
// These inputs make no sense and are quarantined as a whole: ids that are missing or longer than 256 bytes, the id or
// seller of another shipment, quantities below 1 or above a million, more than 1,000 items, times before 1990 or more
// than a day ahead of our clock, promises more than ten years ahead, and anything that would make an event too
// large for a record. size.go has the limits, and what is left out or shortened before one is exceeded.
//
// # What is absent on purpose
//
// No rule crosses shipments: a replacement is an ordinary new shipment. The state holds no keys of inputs; the journal
// keeps those. But repeating an input changes nothing, even without a key.
//
// # How it fails
//
// It does not: every input gets a decision. A nil, a zero value or an absurd number is rejected or quarantined like any
// other bad input. States, events and inputs are never changed and may share parts, so callers must not change them
// either.
package shipment
