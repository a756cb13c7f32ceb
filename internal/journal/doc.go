// Package journal is the ledger on Kafka: it owns lanes, decides what is asked of them, and records it.
//
// A lane is one partition of the events topic, and the partition of the same number of the decisions and inbox topics.
// It has one owner at a time, which decides commands (Submit) and notifications (the inbox) one after the other against
// the state it holds, and writes events and decisions in one transaction.
//
//	           assigned               last owner asked, fenced, read, mended
//	following ───────────► taking over ──────────────────────────────► open ──┐ batch: drain, decide, produce,
//	   ▲                  ▲   │ error: again, a little later            │  ▲──┘ commit, store, answer
//	   │                  └───┴──────────────────────────────────────┐  │
//	   │                       fenced, or an outcome unknown: again  └──┤
//	   │ asked for, or fenced                                           │ revoked
//	   └────────────────────────── lingering, serves on ◄───────────────┘
//
// # What it promises
//
//   - No two owners of a lane both commit. A consumer group says who should own a lane, but nothing rests on it: the
//     owner holds two transactional ids, "…-Aa" and "…-BB", and writes with them in turn. Taking over makes new clients
//     for both, fences Aa and then BB, and reads events and decisions to their ends as they are after that. The first
//     transaction is on Aa. The turn passes only after a confirmed commit. Each of these rules has a counterexample
//     without it; the model in the tests finds them.
//   - Every input has one decision, or two if it waits, in a lane of their own with a dense sequence and a hash chain.
//     Rejections and duplicates are recorded too. Only a command that repeats a key is not: it gets the first answer.
//   - An answer is durable. "Not stored" is only said of what certainly is not; everything else is ErrInDoubt, or is
//     looked up by its key in the next takeover.
//   - No input stops a lane. One that panics, can't be decoded, is too large or that the broker refuses is quarantined.
//   - The inbox position travels in the decisions: a takeover resumes exactly behind the last decided record.
//   - Recorded time never goes backward in a lane, and is the timestamp of the records.
//
// # The lane store
//
// What an owner must know of its lane (the latest state of each shipment, the keys it has answered, what waits) is in a
// Pebble store on local disk. It is a cache: each change carries the position and the chain heads it is true for, and a
// store whose cluster, topics or heads are not the lane's is built again by reading the lane. Its writes are not
// flushed: after a crash it may be true for an earlier position, and the takeover reads the rest. Memory is bounded by
// Config.CacheBytes.
//
// # Several instances
//
// Each instance says in the group under which URL others reach it (Config.Advertise). Owner tells who should be asked
// about a lane; it may be wrong at any time, and then OwnerWrong has the group asked again. Instances keep the stores
// of lanes that they do not serve up to date by reading what everybody may read. A lane that the group takes away
// serves on, it lingers, until its next owner asks for it with Release, which that one does when it has read all there
// is; the fence comes then. So a planned move keeps callers waiting for a fence and a short read. Nothing rests on the
// asking: an owner that is gone, or stands still, is fenced without an answer after Config.ReleaseTimeout. HandOver
// gives everything away before a stop.
//
// A command that is sent to another instance, or again, carries a key of NewKey if its caller gave none: whoever owns
// the lane answers a key that was decided with its first answer. Those keys are kept for an hour and refused after ten
// minutes.
//
// # Torn transactions
//
// The embedded broker, when it is killed, can leave the last transaction of a lane in part. Opening the lane compares
// the ends of both topics. Events without decisions stand, and their decisions are written, with ReasonRecovered.
// Decisions without events are void with their whole batch; a DecisionsVoided record names them, and every reader must
// honour it. On a real cluster either finding is damage, and the lane stays closed with ErrDamaged.
//
// # What it does not do
//
// It does not carry commands to other instances: it says who owns a lane and may be sent a command again. It does not
// read history or create topics. It keeps callers' keys for ever.
//
// # How it fails
//
// A lane that can't be opened is tried again, ever more slowly; Ready and the log say why. Positions that a topic no
// longer holds, a damaged chain, and a clock far behind the lane keep it closed until somebody acts. Run returns an
// error only when the group refuses this instance for good, or the topics are not those of the ledger. A disk on which
// a lane store can't be written ends the process: Pebble panics where it can't go on.
package journal
