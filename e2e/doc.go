// Package e2e holds the promises that only all programs together can keep, one file each. The tests build the programs,
// run them as processes, kill them, and count with their own eyes: in Kafka, in ClickHouse and at a receiver.
//
// They need the embedded ClickHouse engine and skip with the reason where it is not there.
package e2e
