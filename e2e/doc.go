// Package e2e tests all programs together: `orderledger up`, with everything in one process, and the three services as
// users run them, on Apache Kafka. There is one test file per promise. The files named support_* hold no tests.
//
//	support_single_process   `orderledger up` as a process
//	support_deployment       instances of the three services, each a process, with a ClickHouse and a receiver
//	support_workload         the outside world: it repeats each call until it is answered, and records the promises
//	support_faults, _chaos   kill, freeze, cut off, lose requests; one fault after the other, or several at once
//	support_counter          compares the record with Kafka, ClickHouse and the receiver
//	support_scenario         a deployment under a workload: start, faults, repair, count
//	support_compose          the services in containers, as in docker-compose.yml
//
// The counter shares no code with the services except the decoding of events and the fold of a state.
// TestCounterSeesDamage proves that it can fail.
//
// ORDERLEDGER_TEST_KAFKA names the Kafka; without it the tests of the services are skipped. This package must have it
// alone: it deletes the ledger's topics before each scenario. ORDERLEDGER_TEST_KAFKA_CTL is a command that takes "kill
// N" and "revive N" for broker N; without it no broker is killed. ORDERLEDGER_TEST_CLICKHOUSE names a ClickHouse
// server; without it the embedded engine runs as a process. ORDERLEDGER_CHAOS_SEED repeats the faults and the workload
// of a run, though not the machine's timing. ORDERLEDGER_CHAOS_FAULTS is the number of faults. With
// ORDERLEDGER_TEST_COMPOSE the services also run in containers.
package e2e
