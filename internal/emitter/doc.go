// Package emitter tells fulfilment systems what happens to their suborders, in two stages that meet in suborders.v1 only.
//
// Translate makes at most one SUBORDER message of each event of the ledger. Deliver sends the messages to endpoints.
//
// # Deliver
//
// [Deliverer] reads suborders.v1 and POSTs each message to each endpoint that takes it.
//
// What it promises, for each endpoint and suborder:
//
//   - Order. Messages arrive by rising messageId. One is in flight at a time, and a message that fails keeps those behind
//     it waiting, for as long as it takes; nothing is dropped and nothing overtakes.
//   - At least once. An offset is committed when everything below it has been answered with 2xx or is not for this
//     endpoint. A process that stops or loses a partition in a rebalance hands it over clean: requests in flight are
//     waited for, the position is committed, the successor repeats nothing. A process that is killed makes its successor
//     repeat what was in flight or was answered within the last commit interval (100ms): per suborder the last messages
//     again, in order, under the same webhook-id, the same bytes.
//   - Isolation. An endpoint has a consumer group, a connection pool, slots and memory of its own. Inside an endpoint a
//     suborder that waits to be tried again holds no slot, so it stops only itself.
//   - Bounded memory. At most MaxPending messages (and what one poll brings beyond) are held of a partition for an
//     endpoint; then fetching pauses. Bodies are copied, so that a waiting message does not keep its batch alive.
//
// # One group for each endpoint
//
// With one group for all, a position would have to be kept for each endpoint elsewhere, the slowest would decide what is
// fetched, and a rebalance would stop all of them. With a group for each, Kafka keeps the positions, its tools show
// the lag of each endpoint (kafka.GroupEndpoint), and an endpoint is replayed by resetting its group. The price is
// that each endpoint fetches the topic once more. Whoever wants to know whether an endpoint has everything compares
// the committed offsets of its group with the topic's end offsets: positions are committed at most CommitInterval after
// they change, past transaction markers too.
//
// # What a position is
//
// The committed offset is the watermark: the first message not done. The metadata beside it (marks) holds the highest
// messageId below it and which offsets above it are done, so that one stuck suborder does not make a successor
// repeat everybody else's messages. It fits into 4 KB; at three quarters fetching pauses, and if the holes still grow
// beyond, the highest ones are left out and would be repeated. When another tool sets the offset there is no
// metadata: then delivery starts there with rising ids, whatever had been delivered before.
//
// Ids rise within a partition. A record whose id is not above the highest seen is a translator's repeat and is passed over,
// also by a successor, which is what the highest id in the metadata is for.
//
// # Ownership
//
//	assigned ──▶ delivering ──revoked──▶ held: nothing new is sent ──▶ in flight has landed ──▶ committed ──▶ dropped
//	                 └───────lost──────▶ requests cancelled ─────────────────────────────────────────────▶ dropped
//
// A request starts only if Kafka has confirmed the membership so recently that the request ends before the session could
// (session timeout − endpoint timeout). So a process that is cut off from Kafka falls silent before its successor
// speaks. A process that is suspended in the middle of a request is beyond that: its message may arrive after its
// successor's repeat of it, and a receiver that dedups by messageId is not disturbed.
//
// # What it does not do yet
//
// Long failures are not parked: a stuck suborder keeps its place in memory. There is no rate limit, breaker, choice of
// profile or location by endpoint, and no terminal policy: retries never end. A new endpoint starts with the oldest
// message of the topic.
//
// # How it fails
//
// An unreachable endpoint or Kafka is retried for ever and shows in the metrics. A record that is not a message (no
// ce_id, ce_type, key or body) is logged as an error, counted, reported as "malformed" and passed over. Run returns an
// error only when a partition's offsets go backwards under pending messages, which means that the topic has lost records
// or was made anew; started again, it reads that topic and tells old from new by the ids.
package emitter
