// Package pubsub implements Watermill's Publisher and Subscriber on franz-go.
//
// # What it promises
//
//   - At least once. An offset is committed only after its message, and every message before it in the partition, has
//     been acked. After a crash, the messages that were acked since the last commit are delivered again; the last
//     commit is at most Config.CommitInterval old.
//   - Order within a partition. The next message of a partition is delivered after the one before it was acked. A
//     nacked message is delivered again, after a backoff, before any later one. Partitions are independent: one that is
//     stuck does not hold up the others.
//   - A clean handover. When a partition moves to another member, the handler has Config.DrainTimeout to ack the
//     message it is working on; then the offset is committed, and only then is the partition released. Close does the
//     same. If the handler acks in time, nothing is repeated and nothing is reordered.
//   - Committed records only (read_committed).
//   - No gaps. Every record that passes Config.Filter is delivered. An error on one partition does not lose records of
//     another, and when the log no longer holds the committed offset, reading restarts at the beginning of the log.
//
// # What it does not promise
//
// It does not promise exactly once; handlers must tolerate repeats, for example by message id. It does not promise
// order across a handover if the handler ignored its context beyond Config.DrainTimeout: its late ack is discarded, and
// the new owner may already be working on the message. It has no transactions, so it is not for the ledger's own
// writes. It creates no topics unless Config.Partitions is set.
//
// # Messages and records
//
// The metadata of a message are the headers of its record; if a header is repeated, the last value wins. [MetadataKey]
// and [MetadataPartition] set the key and the partition of a published record and are not written as headers. A handler
// gets the whole record from [Record]. The UUID of a message travels in the header Config.UUIDHeader.
//
// [EventFilter] makes a Config.Filter for handlers that need only some of the ledger's events, and [RouterLogger] keeps
// the log of a Router quiet.
//
// Two properties of Watermill matter here. Its Router closes the Publisher of a handler when that handler stops, so
// each handler needs a Publisher of its own. And it runs each message in its own goroutine, so the order rests on the
// Subscriber alone.
//
// # How it fails
//
// A Publisher returns the first error of a batch, at the latest after Config.PublishTimeout; part of the batch may have
// been written by then. A Subscriber does not fail: it logs and counts errors, and keeps trying while brokers go down
// and come back.
//
//	poll ─▶ queue of a partition ─▶ message ─▶ ack ─▶ mark ─▶ commit
//	                                   └─ nack ─▶ backoff ─▶ message again
package pubsub
