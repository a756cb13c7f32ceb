// Package pubsub is a Watermill Publisher and Subscriber on franz-go.
//
// It promises:
//
//   - At least once. An offset is committed only after its message and every
//     one before it in the partition have been acked. A crash repeats what was
//     acked since the last commit, at most Config.CommitInterval ago.
//   - Order within a partition. A partition's next message is handed out after
//     the one before was acked; a nacked message is handed out again, after a
//     backoff, before anything behind it. Partitions run side by side, so one
//     that is stuck does not hold up the others.
//   - A clean handover. When a partition moves to another member, the message
//     in hand gets Config.DrainTimeout to be acked, the commit follows, and only
//     then is the partition given up. The same on Close. Within that time there
//     are no repeats and no reordering.
//   - Only committed records are seen (read_committed).
//   - Nothing that is wanted is ever skipped: not on an error of another partition, and when
//     the log has lost the committed position, reading starts at its beginning.
//
// It does not promise exactly once; handlers must bear repeats, for example by
// message id. It does not promise order across a handover whose handler ignored
// its context beyond Config.DrainTimeout: such an ack is void, and the new owner
// may have begun the message already. It has no transactions, so it is not for
// the ledger's own writes. It creates no topics unless Config.Partitions says so.
//
// A message's metadata are the record's headers; of headers with one key, the
// last counts. Key and partition are set with [MetadataKey] and
// [MetadataPartition], which are not written as headers; a handler finds the
// whole record with [Record]. The message UUID travels in the header
// Config.UUIDHeader.
//
// Two things of Watermill to know: its Router closes a handler's Publisher when
// that handler stops, so each handler gets a Publisher of its own; and a Router
// runs each message in a goroutine of its own, so order rests on the Subscriber
// alone.
//
// A Publisher fails with the first error of a batch, after Config.PublishTimeout
// at the latest; some of the batch may then have been written. A Subscriber does
// not fail: it logs, counts and goes on, as the broker comes and goes.
//
//	poll ─▶ queue of a partition ─▶ message ─▶ ack ─▶ mark ─▶ commit
//	                                   └─ nack ─▶ backoff ─▶ message again
package pubsub
