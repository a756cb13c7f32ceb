// Package emitter sends suborder messages to fulfilment systems. It has two stages, which share only the topic
// suborders.v1.
//
// Translate makes at most one SUBORDER message of each event of the ledger. Deliver sends the messages to endpoints.
//
// # Translate
//
// [Translator] reads the events of each lane in order and writes their messages to the partition of suborders.v1 with
// the number of the lane. It commits an event after its message is written, together with the newest message of the
// partition. After a crash its successor reads the messages above that one, does not write them again, and continues
// their dense numbers (see numbers). A process that was replaced and still runs may repeat messages, under the same ids
// and numbers, and readers skip them. It writes an event that it cannot translate to the dead letters and continues.
//
// # Deliver
//
// [Deliverer] reads suborders.v1 and POSTs each message to every endpoint whose filter it passes.
//
// It promises, for each endpoint and suborder:
//
//   - Order. Messages arrive in the order of their messageId. Only one is in flight at a time. If a message fails,
//     those behind it wait, for as long as it takes; nothing is dropped and nothing overtakes.
//   - At least once. An offset is committed when every message below it was answered with 2xx or did not pass the
//     endpoint's scope or filter. When a process stops, or loses a partition in a rebalance, it waits for the requests
//     in flight and commits the position, so its successor repeats nothing. A stop waits StopTimeout (10s) at most and
//     then cancels them; the successor repeats those. When a process is killed, its successor repeats the messages that
//     were in flight or were answered within the last commit interval (100ms): in order, under the same webhook-id,
//     with the same bytes.
//   - Isolation. Each endpoint has its own worker, consumer group, connection pool, slots and memory. Within an
//     endpoint, a suborder that waits for a retry holds no slot, so it delays only itself.
//   - Scope. An endpoint gets only messages whose seller, location and channel it names ([Scope]). It skips others like
//     those that its filter drops: they keep no slot and no memory, and the position passes them. An endpoint whose
//     scope is incomplete reads nothing, so that its position is still there when somebody completes the scope.
//   - Start. A new endpoint starts now, at a time, or at the oldest message. See below.
//   - Bounded memory. Each endpoint keeps at most MaxPending messages of a partition in memory, plus the records of one
//     poll; then fetching pauses. Bodies are copied, so that a waiting message does not keep its whole batch alive.
//
// # The queue of a suborder
//
// Each endpoint has one queue for each suborder that has messages pending. A queue is in one of three states:
//
//	           push                    next                  completed, more queued
//	(absent) ───────▶ ready ───────────────────▶ in flight ─────────────────────────▶ ready
//	                    ▲                          │  │
//	                    │ due                 retry│  │ completed, nothing queued
//	                    └───────── waiting ◀───────┘  └───▶ (absent)
//
// # One consumer group per endpoint
//
// With one group for all endpoints, the position of each endpoint would have to be stored elsewhere, the slowest one
// would decide what is fetched, and a rebalance would stop all of them. With a group per endpoint, Kafka stores the
// positions, Kafka's tools show the lag of each endpoint (kafka.GroupEndpoint), and resetting a group replays its
// endpoint. The price is that each endpoint fetches the whole topic. To find out whether an endpoint has received
// everything, compare the committed offsets of its group with the end offsets of the topic: a position is committed at
// most CommitInterval after it changes, also when only a transaction marker was read.
//
// # What is committed
//
// The committed offset is the watermark: the offset of the first message that is not completed. The metadata of the
// commit holds the highest messageId below the watermark and the completed offsets above it, so that one stuck suborder
// does not make a successor repeat the messages of all others. The metadata is limited to 4 KB. At three quarters of
// that, fetching pauses; if there is still not enough room, the highest completed offsets are left out, and a crash
// would repeat their messages. When another tool sets the offset, there is no metadata: delivery then starts at that
// offset and sends everything from there again, in order.
//
// Ids rise within a partition. A record whose id is not above the highest one read is a translator's repeat and is
// skipped. A successor skips it too, because the highest id is in the metadata.
//
// # Where a new endpoint starts
//
// An endpoint with a start gets all messages of the suborders that the ledger recorded from then on, and none of older
// ones: a fulfilment system cannot use a change to an order that it never got, and an order that is years old must not
// be shipped again because a translator writes its messages only now. Whether a suborder is older cannot be remembered,
// because there is no bound on the number of suborders. So every message says when the ledger decided on its suborder's
// creation (the header ol_created, from first_recorded_at of the state), and the endpoint compares that with its start.
// The result is the same for all messages of a suborder, in every process, whatever order or offset they have. The time
// of the creation as the marketplace reports it would not do: an order that is reported late would be lost. Recorded
// time would not do either: after a clock that ran ahead it is up to a day ahead, and older orders would be sent.
//
// The offset alone is therefore only a shortcut: reading begins an hour before the start, because the times of records
// come from the translator's clock. The start is part of the metadata of every commit, so successors know it. A worker
// that is assigned partitions without a position commits their start before it fetches from them. It commits as a
// member, so the broker refuses the commit of a worker that another one has replaced meanwhile, and nobody overwrites
// the progress of others. The owner of partition 0 decides the start, and the others wait for its commit; a partition
// that has no position yet takes the start of those that have one. So all partitions have one start, and from the first
// commit on a crash does not move it. If another tool sets the offset, the start is gone with the metadata, and the
// endpoint gets every message from there.
//
// Kafka forgets the positions of a group without members. Then the endpoint would look like a new one, and "now" would
// skip what waited for it. So the owner of partition 0 records in suborders.queues.v1 that the endpoint has started,
// and an endpoint that has started and has no position waits until the configuration says what to do.
//
// # Ownership of a partition
//
//	assigned ──▶ delivering ──revoked──▶ draining: no new requests ──▶ nothing in flight ──▶ committed ──▶ dropped
//	                 └───────lost──────▶ requests cancelled ─────────────────────────────────────────────▶ dropped
//
// A request starts only if the group session cannot expire before the request ends, given when Kafka last confirmed the
// session. A process that is cut off from Kafka therefore stops sending before its successor starts. This does not
// cover a process that is suspended in the middle of a request: its message may arrive after its successor has repeated
// it. A receiver that deduplicates by messageId is not affected.
//
// # What it does not do yet
//
// It does not park suborders that keep failing: their messages stay in memory. It has no rate limit and no circuit
// breaker, it does not choose messages by profile, and it never gives up a message.
//
// # How it fails
//
// Deliver retries an unreachable endpoint or Kafka for ever; the metrics show it. It skips a record that is not a
// message (no ce_id, ce_type, key or body), logs it as an error, counts it and reports it as "malformed". Run returns
// an error when the offsets of a partition go backwards while messages are pending, which means that the topic was
// truncated or recreated. After a restart it reads the new topic and distinguishes old messages from new ones by their
// ids.
package emitter
