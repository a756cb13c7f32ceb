// Package e2e tests all programs together: one process with everything in it, and the three services as users run them,
// on a real Apache Kafka, with a file for each promise.
//
// A town is the services as processes, several of each, with a ClickHouse and a receiver. The load is the world
// outside: it repeats each call until it is answered, and writes down what it was promised. Faults kill, freeze, cut
// and take away. Then everything is mended, and the counter compares what was promised with what Kafka, ClickHouse and
// the receiver have. It shares no code with the services but the decoding of events and the fold of a state.
//
// ORDERLEDGER_TEST_KAFKA is the Kafka; without it these tests are skipped. The package must have it to itself: it
// deletes the ledger's topics before each scenario. ORDERLEDGER_TEST_KAFKA_CTL is a command that takes "kill N" and
// "revive N" and so gives a hand on broker N; without it no broker is killed. ORDERLEDGER_TEST_CLICKHOUSE is a
// ClickHouse server; without it the embedded engine runs as a process of its own. ORDERLEDGER_CHAOS_SEED repeats the
// faults and the load of a run, though not the machine's timing; ORDERLEDGER_CHAOS_FAULTS says how many faults there
// are.
//
// With ORDERLEDGER_TEST_COMPOSE the services also run in containers, as docker-compose.yml has them.
package e2e
