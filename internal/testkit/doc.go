// Package testkit holds what the tests of several packages share: a Kafka and
// a ClickHouse of the test's own, a network that loses replies, a logger, and
// the one way to wait.
//
// It is imported by tests only. It has no mocks: what a test talks to is a
// broker or an engine, and faults are made on the wire.
package testkit
