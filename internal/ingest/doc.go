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
//	POST /sellers/v3/shipments/... ─▶ token ─▶ items ─▶ one command each ─▶ journal ─▶ 200 with one result per item
//
// An answer is given after the decisions are durable. An item of which that can't be said, because its lane moved or Kafka
// did not confirm, is a FAILURE with DEPENDENT_SYSTEM_CALL_FAILED; when it can be said of none, the whole call is 503. Both
// may be sent again: with an Idempotency-Key each item is decided once. The key is the seller's own and holds for each item
// by itself: the same key with another body for the item is IDEMPOTENCY_KEY_REUSED. A Ledger-Position header tells where
// the events are; a read that sends it back as If-Position-At-Least waits for it.
//
// Reads come from ClickHouse and are as fresh as the projection. Another seller's ids are not found, whatever the call.
//
// # What it does not do
//
// It holds no state that is not rebuilt from Kafka: the resolver's store is a cache, and documents are rendered again. It
// does not forward calls to the owner of a lane in another process: an instance that does not own a lane answers 503.
// It proxies nothing to an outer marketplace.
//
// # Stopping
//
// Stop accepting, finish the requests in hand, then stop the workers, then close clients. See Units.
package ingest
