// Package events is the public contract of the ledger: the topics, the envelope in the record headers, the event types,
// the codec, and the hash chain that proves that no record was altered or left out.
//
// An event is a fact about one shipment. Its record has the shipment id as key, the time of recording as timestamp, a
// CloudEvents 1.0 envelope in binary mode as headers, and a Protobuf message ([ledgerv1.Event]) as value, which holds
// the transition and the state after it. So a consumer may start anywhere and keep no state of its own.
//
// # What readers may rely on
//
//   - Records of one shipment are in one partition, in order, with a dense version: 1, 2, 3 and so on.
//   - Records of one lane have a dense laneseq, and a chain hash that covers the previous one; see [Chain].
//   - Decisions have their own dense sequence and their own chain, so that a missing rejection is noticed too.
//   - Offsets are not dense, because transaction markers take some. Never count by offsets.
//   - New event types and new fields appear within v1. Skip those that you do not know; never stop at one.
//
// # How it fails
//
// [Decode] and [DecodeDecision] return an error that wraps [ErrUndecodable] for a null value ([ErrNull]), for a type
// that this version does not know ([ErrUnknownType]), for a malformed envelope or body, and for a body whose type
// differs from the one in the envelope. They never panic.
//
// # What it does not do
//
// It makes no decisions and folds no events: internal/shipment does. It reads and writes no topics.
package events
