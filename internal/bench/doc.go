// Command bench runs benchmarks that belong together several times in one run, ours beside the raw limit, and prints
// the medians with their spread. On a noisy machine only figures of one run may be compared, and only their medians.
//
//	go run ./internal/bench [-rounds 5] [-only lane]
//
// Benchmarks of a package run in a process of `go test` for each round. The ones over HTTP start ingest as a process
// and offer it commands at a fixed rate, whatever it answers: a caller that waits for each answer would not see the
// stalls.
//
// The suites for Apache Kafka run on the one in ORDERLEDGER_TEST_KAFKA, where they create a ledger and delete it again.
// They refuse a Kafka that holds a ledger, unless -empty allows deleting it.
//
// A suite that fails is reported and the next one runs; the exit status is then 1. A suite without its Kafka is skipped
// with the reason.
package main
