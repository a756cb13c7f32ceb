// Package documents makes the labels and invoices of own sellers: it decides courier, invoice number and tax lines,
// renders pages, keeps them, and packs shipments whose labels were requested.
//
//	ledger ─▶ worker: page ─▶ blob store
//	             └─▶ Submitter ─▶ shipment's owner ─▶ ledger
//
// # Promises
//
// A page follows from the shipment, the revision and the time of the request. So rendering it again, on any machine and
// at any time, gives the same bytes, and a shipment whose page is not in this folder can still be printed.
//
// The worker packs at least once: it commits an offset when the results of all events below it are decided. A repeat
// submits the same result under the same key. A result that a newer revision has overtaken is stale and changes
// nothing.
//
// # What it does not do
//
// It serves no HTTP and does not use the journal itself. It packs for own sellers only; for the others the marketplace
// makes the documents. The formats of its labels are plain: the marketplace's layout is not public.
//
// # How it fails
//
// The worker ends with an error when the folder cannot be written, since then no shipment can be packed. It retries a
// submission until it is decided; one whose owner is away holds up its own lane and no other.
package documents
