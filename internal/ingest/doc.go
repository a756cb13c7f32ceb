// Package ingest is HTTP in: the marketplace's notifications, the seller API on the marketplace's own paths, and the
// background work that belongs to them (packing, leading returns to their shipments).
//
// # What happens to a notification
//
//	POST /notifications ─▶ size, UTF-8, JSON, signature ─▶ names a shipment? ─▶ inbox of its lane ─▶ 200
//	                                                        └─ only a return ─▶ orders.unresolved.v1 ─▶ 200
//	                                                                              └▶ resolver ─▶ inbox
//
// 200 means that it is durable in Kafka and will be decided, whoever dies. What can't be read is 400, 401 or 413 and leaves
// no trace; what can be read and makes no sense is 200 and ends as quarantined, because the marketplace blocks everything
// behind a notification that is not taken.
//
// # What happens to a seller's call
//
//	POST /sellers/v3/shipments/... ─▶ token ─▶ items ─▶ one command each ─▶ router ─▶ journal ─▶ 200 with one result per item
//	                                                                          └─▶ peer ─▶ its journal ─▶┘
//
// An answer is given after the decisions are durable. An item of which that can't be said within the deadline, because its
// lane has no owner or Kafka did not confirm, is a FAILURE with DEPENDENT_SYSTEM_CALL_FAILED; when it can be said of none,
// the whole call is 503. Both may be sent again: with an Idempotency-Key each item is decided once. The key is the seller's
// own and holds for each item by itself: the same key with another body for the item is IDEMPOTENCY_KEY_REUSED. A
// Ledger-Position header tells where the events are; a read that sends it back as If-Position-At-Least waits for it.
//
// Reads come from ClickHouse and are as fresh as the projection. Another seller's ids are not found, whatever the call.
//
// # Several instances
//
// Any instance takes any call. The router splits its commands by lane, decides those whose lanes are here, and hands the
// others to their owners, one request an owner. What goes over is the body of the call and which items are meant, see
// forward; the owner reads it again and refuses what has another hash there. Requests are signed, see peerKeys. The owner
// never hands on what was handed to it.
//
// A lane that moves costs time and not answers. Whatever is not answered is tried again, at whoever owns the lane then,
// under the key it had from the start: the caller's, or one that the router made before the first try. So a command that
// was decided by an owner whose answer got lost is answered with that first answer. What may have been stored stays in
// doubt until it is answered, also when a later owner knows nothing of it.
//
// The packer goes the same way. The resolver needs no owner; a partition of returns that comes to an instance is handed on
// from when all its aliases have been read.
//
// # What it does not do
//
// It holds no state that is not rebuilt from Kafka: the resolver's store is a cache, and documents are rendered again. It
// does not encrypt what goes between instances. It proxies nothing to an outer marketplace.
//
// # Stopping
//
// Where there are other instances: say that it is not ready, and hand the lanes over while everything is served. Then stop
// accepting and finish the requests in hand, then stop the workers, then the listener for other instances, then close
// clients. See Units.
package ingest
