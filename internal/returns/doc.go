// Package returns delivers notifications that name only a return, or the order items of a new one, to their shipments.
//
//	Append ─▶ orders.unresolved.v1 ─▶ resolver ─▶ orders.inbox.v1
//	                                     ▲
//	ledger ─▶ alias worker ─▶ orders.aliases.v1
//
// An alias says to which shipment a return, a service or an order item of a seller belongs. Only the ledger's events
// make aliases: a notification that merely names another seller's return must not lead that seller's notifications
// astray. The resolver joins aliases with the unresolved notifications. A notification whose shipments are not all
// known waits in the pending store; each shipment gets its part, in order, when its alias arrives.
//
// # Promises
//
// A notification that Append stored reaches the inbox of every shipment of its return. After Config.Limit it also goes
// to the shipments that are known by name only, or, if no shipment has recorded the return, to the inbox of the
// return's own id: the ledger records it as waiting there and quarantines it in the end. Each shipment gets its part
// once, unless the partition moves or the process restarts before the last shipment has got its part. One that could
// mean several sellers or shipments, or that cannot be read, is quarantined at once: none disappears without a
// decision. One return over shipments of several sellers is no such case: each shipment is judged by its own seller.
// Notifications of one return reach a shipment in their order. The resolver delivers at least once; the inbox
// recognizes a repeat by its natural key.
//
// # What it does not do
//
// It serves no HTTP and decides nothing. It holds no state that cannot be rebuilt from Kafka: the pending store is a
// cache. It needs no lane: any instance may resolve, and when a partition moves, its new instance resolves again once
// it has read all the partition's aliases.
//
// # How it fails
//
// Append returns what Kafka answered. A unit ends, with an error, when its store breaks or its group cannot be
// joined; while Kafka is away the resolver retries, because the next notification of a return must not overtake the one
// before.
package returns
