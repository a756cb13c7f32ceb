// Package ingest serves HTTP: the marketplace's notifications, and the seller API on the marketplace's own paths. It
// wires the parts of one instance: peer, returns, documents, sellers and httpx.
//
// # What happens to a notification
//
//	POST /notifications ─▶ credential ─▶ size, UTF-8, JSON ─▶ seller ─▶ names a shipment? ─▶ inbox of its lane ─▶ 200
//	                                                                     └─ only a return ─▶ returns.Append ────▶ 200
//
// A credential is a signature or a notification token, and speaks for a set of sellers. A notification that names no
// seller carries the set to the lane, which knows whose the shipment is. If intake is open, only sellers with a
// credential need one.
//
// 200 means that the notification is durable in Kafka and will be decided, whichever process dies. An unreadable one is
// answered with 400, 401 or 413 and leaves no trace. A readable one that is invalid is answered with 200 and
// quarantined, because the marketplace holds back everything behind a notification that is not accepted.
//
// # What happens to a seller's call
//
//	POST /sellers/v3/shipments/... ─▶ token ─▶ items ─▶ one submission each ─▶ peer.Submit ─▶ 200, one result per item
//
// The answer follows once the decisions are durable. An item without an outcome at the deadline is a FAILURE: with
// OUTCOME_IN_DOUBT if it may be stored, because Kafka or its owner did not confirm, and with
// DEPENDENT_SYSTEM_CALL_FAILED if it is certainly not, because its lane had no owner. If that is true of all items, the
// whole call is 503. The caller may repeat both: with an Idempotency-Key each item is decided once. The key belongs
// to the seller and holds for each item separately: the same key with another body for the item is
// IDEMPOTENCY_KEY_REUSED. The Ledger-Position header names the events; a read that sends it back as
// If-Position-At-Least waits for them.
//
// A call finds its returns and services in ClickHouse. One that is missing there is refused only once the tables hold
// everything that is in the ledger, and the ledger has decided every notification; until then the answer is 503.
//
// Reads come from ClickHouse and are as fresh as the projection. Another seller's ids are not found, whatever the call.
//
// # What it does not do
//
// It holds no state that cannot be rebuilt from Kafka. It does not forward calls to an outer marketplace. It finds no
// lanes and renders no PDFs: packages peer and documents do.
//
// # Stopping
//
// If there are other instances, it first reports that it is not ready and hands its lanes over while it serves
// everything. Then it stops accepting and finishes the requests in hand, then it stops the workers, then the listener
// for other instances, and closes its clients last. See Units.
package ingest
