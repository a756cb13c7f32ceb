// Package marketplace is the wire format of the marketplace: its notifications and the bodies of its seller API, read
// into inputs of the aggregate, and shipments and results written the way its clients expect them. It is pure: bytes
// in, values out; no clock, no network.
//
// # Reading
//
// A body is read in one pass into a flat document, without reflection, and judged in two classes:
//
//   - It can't be read: not JSON, invalid UTF-8, a member twice, a value of the wrong JSON type, no eventType, id or
//     timestamp. That is a *ProblemError, which says where (path and byte offset); the sender gets it as 400.
//   - It can be read and makes no sense: an unknown event type, the year 0, quantity 0 at creation, an id of 100 kB, a
//     body without what its type needs. That is a shipment.Unintelligible with a permanent reason, which the ledger
//     keeps as quarantined. The sender gets 200, because the marketplace blocks all that is behind a failed notification.
//
// Unknown members are ignored, null is the same as absent, and names are compared exactly. A text or number is never
// guessed from the other. A time without an offset, and a plain date, are in IST.
//
// # Keys
//
// Notifications have no id. Their natural key is event type, id, timestamp and the hash of the attributes, so that two
// cancellations of different items in one second are two facts, while a repeat with other white space or another order
// of members is the same one; see canonical.go for the form that is hashed.
//
// # Extensions
//
// These are ours; the marketplace never sends them:
//
//   - sellerId beside eventType, where the URL does not name the seller;
//   - attributes.deliverByDate, on shipment_created and shipment_dispatch_dates_changed;
//   - attributes.extensions of shipment_created, an object that is kept as it is. Read from it: services[]
//     {serviceFulfilmentId, orderItemId, serviceByDate, description}, deliverByDate, deliveryAddress, billingAddress,
//     buyerDetails;
//   - orderItems[].extensions, an object that is kept as it is. Read from it: cancelledQuantity, units that were cancelled
//     before the shipment was told, by nobody knows whom;
//   - returnItems[].services[] {serviceFulfilmentId, serviceByDate, description}: a tech visit that comes with the return.
//
// # What it does not do
//
// It does not know what a shipment's state allows; that is internal/shipment. It does not check signatures or tokens;
// that is internal/ingest.
package marketplace
