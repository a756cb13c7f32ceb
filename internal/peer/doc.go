// Package peer dispatches commands to the owners of their lanes, in this instance of ingest or in another one.
//
// # Submitting
//
// Any instance accepts any call. Router.Submit splits it by lane, decides the commands whose lanes are here, and
// forwards the others, one request to each owner. The request holds the body of the call as it came and says which of
// its items are meant; the owner reads the body again and refuses an item that hashes differently there. An owner never
// forwards what was forwarded to it.
//
// # Promises
//
// A call loses time to a lane that moves, but no answer. A submission without an answer is retried inside the deadline,
// at the instance that owns the lane by then, under the key it had before the first try: the caller's, or one that the
// router made. So if an owner decides a command and its answer is lost, the retry is answered with that first answer. A
// command that may be stored stays in doubt until it is answered, even when a later owner does not know it.
//
// # Between instances
//
// Instances talk on a listener of their own. Requests are signed with a shared secret, see keys. Requests are not
// encrypted, unless the advertised URL is https.
//
//	POST /peer/v1/commands               decide the commands of a call, see forward
//	POST /peer/v1/lanes/{lane}/release   finish a lane that the sender is about to take over
//
// # How it fails
//
// Submit reports, for each submission, journal.ErrInDoubt when it may be stored and is not confirmed, or one of the
// other errors of journal.Submit, ErrVersions or ErrOwnerUnreachable when it is certainly not stored.
//
// # What it does not do
//
// It checks no tokens of sellers and writes no answers to them: package ingest does. It does not decide which instance
// owns a lane: the journal says so.
package peer
