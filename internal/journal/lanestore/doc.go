// Package lanestore keeps on local disk what the owner of a lane needs to decide: one Pebble database per lane.
//
// A store holds four things, each under a key of its own:
//
//   - the latest state of every shipment, as the event that led to it carries it;
//   - the answer to every idempotency key, so that a repeated command gets its first answer;
//   - the places of the inputs that wait for a shipment that does not exist yet, in the order in which they were
//     recorded, by where they came from in the inbox, and by their age; their content is in the decisions;
//   - the position: how far both topics of the lane are in the store, and the chain heads there (Meta).
//
// All changes go through a Batch, one method for each kind of record. It does not matter whether the records were
// committed a moment ago or are read by a takeover years later: both build the store in the same way.
//
// # What it promises
//
// A batch and its position are written together or not at all, so that a store always matches the position that it
// names. It is not flushed to disk: after a crash a store may have an earlier position, and its opener reads the rest
// of the lane. Memory is bounded by Memory, which all stores of a process share.
//
// Answers to keys of callers are kept for ever. Ephemeral keys (NewEphemeralKey) name a command for the few minutes in
// which it may be sent again; their answers are dropped after an hour by the clock of the store's instance. Whatever
// that clock does, the store knows which keys it may have forgotten (Meta.Forgot).
//
// # What it does not do
//
// It is a cache, never the truth, and it does not read the lane: its opener compares position and heads with the lane,
// and calls Rebuild if they differ. It decides nothing, and does not lock a folder against a second store of the same
// process.
//
// # How it fails
//
// Open removes a store that it cannot open, or that belongs to another ledger, and creates an empty one. On a full disk
// it returns an error and removes nothing. A value that
// cannot be decoded is an error of the read that met it. A disk that refuses to be written ends the process: Pebble
// panics while it holds its locks, so the store could not even be closed. No answer is lost by that.
package lanestore
