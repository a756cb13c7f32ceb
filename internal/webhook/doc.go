// Package webhook sends signed HTTP messages and says what an answer means.
//
// # What it is for
//
// A [Client] POSTs bytes it is given, never re-encoded, with the headers of Standard Webhooks 1.0
// (https://www.standardwebhooks.com): webhook-id, webhook-timestamp and, when there are secrets,
// webhook-signature. A [Signer] holds one secret, or several while a receiver changes from one to the next;
// each gives a signature of its own and a receiver is content with any of them. [Verify] is the other side.
//
// # Promises
//
//   - A message is sent at most once per call. There are no retries here: a retry has to wait in a lane
//     without holding a slot, which only the caller can do.
//   - Redirects are not followed. Go's client turns a POST that meets a 301, 302 or 303 into a GET without a
//     body; a 2xx for that GET would be booked as a delivery that never happened.
//   - [Classify] is total: a status or an error is [OK], [Retry] or [RetrySlow]. Nothing is "never": dropping one
//     message would break the order of all that follow, so an answer that only a person can repair is tried
//     again slowly.
//   - Secrets do not appear in logs: [Secret] prints masked, and errors carry no URL, which may hold a token.
//
// # What it does not do
//
// No ordering, queues or persistence (package emitter), no guard against private addresses yet, no ed25519
// signatures (v1a) yet.
//
// # How it fails
//
// [Client.Post] returns a [Response] for every answer that was received, whatever its status, and an error when
// there was none: refused, reset, timed out or cancelled. A receiver may have acted on a message in both cases.
package webhook
