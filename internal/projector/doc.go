// Package projector is the program that fills the tables: it reads the ledger's events and decisions from Kafka, makes
// rows of them (package projections) and inserts them into ClickHouse, each exactly once.
//
// # One batch
//
// A partition has one worker, which belongs to one membership in the consumer group:
//
//	gather ─▶ fill columns ─▶ intent ─▶ insert: history, then each state table ─▶ gather …
//	                            │                                                  │ nothing ready
//	                            └ also acknowledges the batch before               └▶ plain commit
//
// The intent is a commit of the group's offset at the batch's first record, whose metadata names the last record and
// the last one that has a row in the history. The broker refuses it from a member that is no longer in the group, so it
// is a fence, and it tells whoever takes over which rows may have landed. The group's committed offset is therefore the
// position below which all tables are complete, and nothing else: readers that wait for a position rely on it.
//
// # Who takes over
//
// It reads the intent, and the highest offset W of the lane in the history (kept beside the data by a projection of the
// table). One insert is one block in one partition, hence one part: it is there or not. So:
//
//	W >= last history offset   the history landed; it is not sent again
//	W <  first offset          it did not; it is sent again with the same bounds and the same token, and the token
//	                           guards against the dead owner's insert landing late
//	between                    somebody else writes here: an error that stops the program
//
// Rows of state carry a version and are always sent again: the highest version wins, however often it comes. Without an
// intent (offsets lost, or set back by hand to fill the state tables anew), history rows at or below W are left out
// too.
//
// # Promises
//
//   - kill -9 at any step, a lost answer, a rebalance, a frozen process that wakes up, an outage of any length: no row of
//     the history is missing or doubled, and state tables show the highest version.
//   - A record that can't be read goes to dead_letters and to orders.deadletters.v1 with its bytes, and the stream goes on.
//   - ClickHouse or Kafka being away is waited for. Nothing is skipped and no batch is given up.
//   - A batch that ends at the end of its partition is written at once; rows are queryable within a fraction of a second.
//   - Memory is bounded: polling waits while Config.BufferBytes are in hand.
//
// # What it does not do
//
// It makes no order between partitions, and tables of one batch become visible one after another: wait for the
// committed offset to read them together. It does not create topics or tables. It keeps no state but columns that are
// used again.
//
// # Stopping
//
// Stop gathering, let the batches in hand finish for up to five seconds, break off the rest (the intent covers them),
// acknowledge, leave the group, close connections.
package projector
