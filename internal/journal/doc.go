// Package journal is the ledger on Kafka: it owns lanes, decides the inputs of their shipments, and records the
// decisions.
//
// A lane is one partition of the events topic, and the partition of the same number of the decisions and inbox topics.
// It has one owner at a time. The owner decides commands (Submit) and notifications (the inbox) one after the other
// against the latest states, and writes events and decisions in one transaction.
//
//	          assigned                last owner asked, fenced, replayed, repaired
//	standby ───────────► taking over ─────────────────────────────────────────────► open ──┐ intake, batch,
//	   ▲                 ▲   │ error: again, a little later                         │  ▲──┘ commit, answers
//	   │                 └───┴───────────────────────────────────────────────────┐  │
//	   │                             fenced, or an outcome unknown: again        └──┤
//	   │ released, or fenced                                                        │ revoked
//	   └─────────────────────────────── draining, still serves ◄────────────────────┘
//
// # A batch
//
// One goroutine runs a lane. Each stage of its work is a type:
//
//   - takeover makes this instance the owner: it replays the lane into the store, asks the last owner for it, fences,
//     and repairs what a broker tore or lost;
//   - intake collects commands, one of each seller in turn (callQueue), inbox records, and inputs that have waited too
//     long;
//   - batch decides them one by one (decider), each against the states that the ones before left, and makes the records
//     (encoder);
//   - committer writes the batch in one transaction (writer), then applies it to the store;
//   - answers gives the callers their receipts, and settles calls whose outcome was in doubt.
//
// Two packages below are independent of these types: lanestore keeps a lane's states, answers and position on disk;
// membership determines, through a consumer group, which instance should own which lane.
//
// # What it promises
//
//   - No two owners of a lane both commit. The group says who should own a lane, but safety does not depend on the
//     group: the owner holds two transactional ids, "…-Aa" and "…-BB", and writes with them in turn. A takeover makes
//     new clients for both, fences Aa and then BB, and reads events and decisions to the ends that they have after
//     that. The first transaction is on Aa. The turn passes only after a confirmed commit. If any of these rules is
//     missing, two owners can both commit; the model in the tests finds out how.
//   - Every input has one decision, or two if it waits, in a topic that has a dense sequence and a hash chain.
//     Rejections and duplicates are recorded too. Only a command that repeats a key is not: it gets the first answer.
//   - An answer is durable. A caller learns "not stored" only if that is certain. Otherwise the next takeover looks the
//     command up by its key, or the caller gets ErrInDoubt.
//   - No input stops a lane. An input that panics, can't be decoded, is too large or is rejected by the broker is
//     quarantined.
//   - The inbox position is part of the decisions: a takeover resumes exactly behind the last decided record.
//   - Recorded time rises with every batch of a lane, and is the timestamp of the records. Inputs are decided as of the
//     clock, which may be behind it.
//
// # Several instances
//
// Owner says which instance should be asked about a lane; it may be wrong at any time, and after OwnerWrong the group
// is asked again. Instances keep standbys: stores of lanes that they do not serve, which they update by reading the
// lanes as any consumer may. The group's plan says who follows which lane, Config.Standbys instances each, and prefers
// instances that are near a lane's end (warmth). An instance that joins others is not Accepting until it is warm for
// what it follows.
//
// A lane that the group takes away drains: it still serves, without a time limit, until its next owner, having read all
// of it, asks for it with Release, and only then fences. So a planned move keeps callers waiting for a fence and a
// short read. Safety does not depend on the request: an owner that is gone or frozen is fenced without an answer after
// Config.ReleaseTimeout. A lane that was released and that nobody has taken after 2 s is taken back by a fence.
// HandOver gives all lanes away before a stop, each once another instance is warm for it.
//
// A command that is sent to another instance, or again, carries an ephemeral key (NewKey) if its caller gave none: the
// owner of the lane answers a key that was decided with its first answer. Such keys are refused after ten minutes, and
// their answers are dropped after an hour.
//
// # Torn transactions
//
// The embedded broker, when it is killed, can leave the last transaction of a lane in part. A takeover compares the
// ends of both topics. Events without their decisions stand, and their decisions are written, with ReasonRestored.
// Decisions without events are void with their whole batch; a DecisionsVoided record names them, and every reader must
// honour it. On a real cluster either finding is damage, and the lane stays closed with ErrDamaged.
//
// # What it does not do
//
// It does not carry commands to other instances: it says who owns a lane, and accepts the same command again. It does
// not read history or create topics. It never drops the answers to callers' keys.
//
// # How it fails
//
// A lane whose records are damaged is read once, and again when RetryLane asks for it. Any other that can't be opened
// is tried again, at growing intervals; positions that a topic no longer holds keep it closed until an operator acts.
// Ready and the log say why. Run returns an error only when the group refuses this instance for good, or the topics are
// not those of the ledger. A lane store that can't be written ends the process: Pebble panics when it can't continue.
//
// Run stops in this order: take nothing more, finish the batches in hand, leave the group, close the clients.
package journal
