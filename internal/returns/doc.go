// Package returns delivers notifications that name only a return to the shipments of that return.
//
//	Append ─▶ orders.unresolved.v1 ─▶ resolver ─▶ orders.inbox.v1
//	                                     ▲
//	ledger ─▶ alias worker ─▶ orders.aliases.v1 ◀─ Link
//
// An alias says to which shipment a return or a service belongs. The alias worker derives aliases from the ledger's
// events. The resolver joins them with the unresolved notifications; a notification whose return has no alias yet waits
// in the pending store, and is appended to the inbox, in order, when the alias arrives.
//
// # Promises
//
// A notification that Append stored reaches the inbox of every shipment of its return, or, after Config.Limit, the
// inbox of the return's own id, where the ledger records it as waiting and quarantines it in the end: it never
// disappears without a decision. Notifications of one return keep their order. The resolver delivers at least once; the
// inbox recognizes a repeat by its natural key.
//
// # What it does not do
//
// It serves no HTTP and decides nothing. It holds no state that cannot be rebuilt from Kafka: the pending store is a
// cache. It needs no lane: any instance may resolve, and when a partition moves, its new instance resolves again once
// it has read all the partition's aliases.
//
// # How it fails
//
// Append and Link return what Kafka answered. A unit ends, with an error, when its store breaks or its group cannot be
// joined; while Kafka is away the resolver retries, because the next notification of a return must not overtake the one
// before.
package returns
