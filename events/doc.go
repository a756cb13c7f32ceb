// Package events is the public contract of the ledger: the topics, the envelope in the record headers, the event types,
// the codec, and the hash chain that proves that nothing was altered or left out.
//
// An event is a fact about one shipment. Its record has the shipment id as key, a CloudEvents 1.0 envelope in binary
// mode as headers, and a Protobuf message ([ledgerv1.Event]) as value, which holds the transition and the state after
// it. So a consumer may start anywhere and keep no state of its own.
//
// # What readers may rely on
//
//   - Records of one shipment are in one partition, in order, with a dense version: 1, 2, 3 and so on.
//   - Records of one lane have a dense laneseq, and a chain hash over the one before; see [Chain].
//   - A decision has its own dense sequence and its own chain, so that a dropped rejection shows too.
//   - Offsets are not dense: transaction markers take some. Never count by them.
//   - New event types and new fields appear within v1. Skip what you do not know; never stop for it.
//
// # How it fails
//
// [Decode] and [DecodeDecision] return an error that wraps [ErrUndecodable] for a null value, a type this version does
// not know ([ErrUnknownType]), a malformed envelope or body, or a body that is not of the type its envelope names. They
// never panic, whatever the bytes.
package events
