// Package projector is the program that fills the tables: it reads the ledger's events and decisions from Kafka, turns
// them into rows (package projections) and inserts these into ClickHouse, each exactly once.
//
// # One batch
//
// A partition has one worker, which belongs to one membership in the consumer group:
//
//	collect ─▶ fill columns ─▶ intent ─▶ insert: history, then each state table ─▶ collect …
//	                             │                                                  │ nothing ready
//	                             └ also acknowledges the previous batch             └▶ plain commit
//
// The intent is a commit of the group's offset at the batch's first record; its metadata names the last record and the
// last one that has a row in the history. The broker refuses it from a member that is no longer in the group, so it is
// a fence. The next worker reads from it which rows may have been stored. The group's committed offset is therefore
// exactly the position below which all tables are complete. Readers that wait for a position rely on that.
//
// # Taking over
//
// A worker reads the intent, and the highest offset W of the lane in the history (a ClickHouse PROJECTION keeps it
// beside the data). One insert is one block in one partition, hence one part: it is stored whole or not at all. So:
//
//	W >= last history offset   the history has the batch; it is not sent again
//	W <  first offset          it has not; the batch is sent again with the same bounds and the same token, and the
//	                           token guards against an insert of the dead worker that arrives late
//	between                    another program writes to this table: an error that stops the program
//
// State rows carry a version and are always sent again: the highest version wins, however often it arrives. Without an
// intent (the group's offsets were deleted, or reset to refill the state tables), history rows at or below W are left
// out too.
//
// # Promises
//
//   - The history neither loses nor duplicates a row, and state tables show the highest version, after a kill -9 at any
//     step, a lost response, a rebalance, a frozen process that resumes, or an outage of any length.
//   - A record that can't be decoded goes to dead_letters and, with its bytes, to orders.deadletters.v1; the partition
//     continues.
//   - It waits until an outage of ClickHouse or Kafka is over. It skips no record and gives up no batch.
//   - A batch that ends at the end of its partition is written at once; rows are queryable within a fraction of a
//     second.
//   - Memory is bounded: polling pauses while Config.BufferBytes are in memory.
//
// # What it does not do
//
// It keeps no order between partitions, and the tables of one batch become visible one after another: wait for the
// committed offset to read them together. It does not create topics or tables. It stores nothing on disk.
//
// # How it fails
//
// An error of ClickHouse, or of a commit, is retried for ever, counted and logged. A lost membership ends the worker,
// and the client joins again. Run returns an error, and the process should restart, if the group refuses the member, if
// the position is no longer in the topic, if another program wrote to a history, or if the tables hold less than the
// committed positions say: they were emptied or replaced, and going on would leave a gap that nobody sees.
//
// # Stopping
//
// Stop collecting, give the batches in hand up to five seconds, cancel the rest (the intent covers them), acknowledge,
// leave the group, close connections.
package projector
