// Package demo generates order histories in the marketplace's own format and sends them to a running ledger, so that a
// newcomer sees realistic work: notifications and seller calls over HTTP, events in Kafka, rows in ClickHouse, webhook
// requests at a receiver.
//
// It promises the same histories for the same seed on every machine, except for their dates. As in reality, they
// contain repeats, facts in the wrong order, cancellations after dispatch, holds, partial cancellations and returns.
//
// It does not start the ledger: cmd/orderledger does. It fails with the first unexpected response; calls wait up to
// half a minute for the notification that they depend on.
package demo
