// Package testkit holds what the tests of several packages share: a Kafka and
// a ClickHouse of the test's own, a network that loses replies, a logger, and
// the one way to wait.
//
// [OnEachKafka], [OnEachClickHouse] and [OnEachPair] are the one switch that
// says where a test runs: on what is inside the process, always, and on servers
// where there are some. Apache Kafka is shared by all tests of a run; each gets
// a namespace of it, see namespace.go. Command servers, below, starts what has
// no address in containers; command report counts what ran where.
//
// It is imported by tests only. It has no mocks: what a test talks to is a
// broker or an engine, and faults are made on the wire.
package testkit
