// Package marketplace is the wire format of the marketplace. It reads notifications and the bodies of seller calls into
// inputs of the aggregate, and it writes shipments and results the way the marketplace's clients expect them. It is
// pure: bytes in, values out; no clock, no network.
//
// # Reading
//
// It parses a body in one pass into a flat document, without reflection. A body that it does not accept is one of two
// things:
//
//   - Malformed: not JSON, invalid UTF-8, a duplicate member, no eventType, id or timestamp, another JSON type in the
//     envelope or in an id, a time or a quantity that a rule reads. The result is a *ProblemError with path and byte
//     offset, which the sender gets as 400.
//   - Invalid: an unknown event type, the year 0, no line with a valid id and quantity, an id of 100 kB, a body without
//     what its type needs. The result is a shipment.Unintelligible with a permanent reason, which the ledger
//     quarantines. The sender gets 200, because the marketplace blocks every notification behind one that failed.
//
// Everything else that has a wrong type or makes no sense is left out of a notification, and the fact names it: an
// order must not vanish for an optional field. EnvelopeFields and AttributeFields list each field with its
// consequences; the tests try them all, and write docs/notifications.md from them. Seller calls are strict.
//
// Half a surrogate pair, such as "\ud83c" alone, reads as U+FFFD; in an id it is invalid, because two ids would become
// one. Bytes that are no UTF-8 are malformed.
//
// It ignores unknown members, because the marketplace may add some. null is the same as absent, because its payloads
// use both. Names are compared exactly. A number is never read from a string, nor a string from a number. A time
// without an offset, and a plain date, are in IST.
//
// # Keys
//
// Notifications have no id. Their natural key is event type, id, timestamp and the hash of the attributes. So two
// cancellations of different items in the same second are two facts, while a repetition with other white space or
// another order of members is the same fact. canonical.go describes the form that is hashed.
//
// # Extensions
//
// These members are ours; the marketplace never sends them:
//
//   - sellerId beside eventType, if the URL does not name the seller;
//   - attributes.deliverByDate, on shipment_created and shipment_dispatch_dates_changed;
//   - attributes.extensions of shipment_created, an object that is kept verbatim. The ledger reads from it: services[]
//     {serviceFulfilmentId, orderItemId, serviceByDate, description}, deliverByDate, deliveryAddress, billingAddress,
//     buyerDetails;
//   - orderItems[].extensions, an object that is kept verbatim. The ledger reads from it: cancelledQuantity, the units
//     that were cancelled by an unknown party before the shipment was reported;
//   - returnItems[].services[] {serviceFulfilmentId, serviceByDate, description}: a tech visit for the return;
//   - the types shipment_observed and return_observed, which report what a read of the marketplace's API shows;
//   - orderledger beside eventType, which Split writes into the parts of a return: its shipments.
//
// # What it does not do
//
// It does not know what the state of a shipment allows; that is internal/shipment. It does not check signatures or
// tokens; that is internal/ingest.
//
// # How it fails
//
// Nothing here panics on any input, and nothing is repaired silently: what can't be read is an error with its place,
// and what is invalid is an input or a result with a permanent code.
package marketplace
