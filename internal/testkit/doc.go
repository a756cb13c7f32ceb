// Package testkit holds what the tests of several packages share: a Kafka and a ClickHouse for each test, a receiver of
// webhooks, certificates, a logger, and the one way to wait. Faults on the network are in package netfault below.
//
// [OnEachKafka], [OnEachClickHouse] and [OnEachPair] are the one place that decides where a test runs: always on kfake
// and the embedded engine, and on servers if there are any. The tests of a run share one Apache Kafka; each gets a
// namespace of it, see namespace.go. A backend that is not available skips the test with the reason.
//
// Below it, command servers starts servers in containers for `go test`, and command report prints what ran on which
// backend.
//
// Only tests import testkit. It has no mocks: tests talk to a broker or an engine, and faults happen on the wire.
package testkit
