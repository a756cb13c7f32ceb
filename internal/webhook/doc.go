// Package webhook sends signed HTTP messages and classifies the responses.
//
// # What it is for
//
// A [Client] POSTs the bytes that it is given, without re-encoding them, with the headers of Standard Webhooks 1.0
// (https://www.standardwebhooks.com): webhook-id, webhook-timestamp and, if there are secrets, webhook-signature. A
// [Signer] holds one secret, or several while a receiver changes from one to the next. It makes one signature per
// secret, and a receiver accepts a message if any of them is valid. [Verify] is the receiver's side.
//
// # What it promises
//
//   - Each call sends a message at most once. There are no retries here: a retry has to wait in the queue of its
//     suborder without holding a slot, and only the caller can arrange that.
//   - Redirects are not followed. Go's client turns a POST that is answered with 301, 302 or 303 into a GET without a
//     body, and a 2xx for that GET would count as a delivery that never happened.
//   - [Classify] is total: every status and every error is [OK], [Retry] or [RetrySlow]. There is no verdict "never",
//     because dropping one message would break the order of all that follow. If only a person can repair the cause, the
//     message is retried slowly.
//   - A receiver cannot occupy a slot with a body that decides nothing: the rest of it is read for a second at most,
//     and 64 KiB in all, within the timeout of the attempt. With Config.ErrorField, the body decides whether a 2xx is
//     an error. If it has not decided when the timeout is over, the attempt has failed.
//   - Secrets do not appear in logs: a [Secret] prints masked, and errors do not contain the URL, which may contain a
//     token.
//
// # What it does not do
//
// It has no order, no queues and no storage; package emitter has. It does not refuse private addresses yet, and it does
// not make ed25519 signatures (v1a) yet.
//
// # How it fails
//
// [Client.Post] returns a [Response] for every response it received, whatever its status, and an error if it received
// none: the connection was refused or reset, or the request timed out or was cancelled. Even then the receiver may have
// processed the message.
package webhook
