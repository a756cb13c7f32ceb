// Package demo makes order histories in the marketplace's own format and plays them against a running ledger, so that a
// newcomer sees real work: notifications and seller calls over HTTP, events in Kafka, rows in ClickHouse, pushes at a
// receiver.
//
// Histories are made from a seed and are the same on every machine but for their dates. They are messy as life is:
// repeats, facts in the wrong order, cancellations after dispatch, holds, partial cancellations, returns.
package demo
