// Command bench runs related benchmarks several times, ours next to the raw limit, and prints the medians with their
// spread. On a noisy machine, compare only medians, and only within one run.
//
//	go run ./internal/bench [-rounds 5] [-only lane]
//
// Benchmarks of a package run in one `go test` process per round. Benchmarks over HTTP start ingest as a process and
// offer it commands at a fixed rate, however slowly it answers: a caller that waits for each answer would not see the
// stalls.
//
// The suites for Apache Kafka run on the cluster in ORDERLEDGER_TEST_KAFKA, where they create a ledger and delete it
// again. They refuse a Kafka that holds a ledger, unless -empty allows deleting it.
//
// A suite that fails is reported and the next one runs; the exit status is then 1. A suite without its Kafka is skipped
// with the reason.
package main
