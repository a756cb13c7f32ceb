// Package broker is the Kafka inside the process: franz-go's kfake on a real
// port, with a data folder. It is for trying out, for development and for a
// single node; production is a Kafka cluster by address, on the same code
// path.
//
// It promises, on one node:
//
//   - What was acknowledged is there after a clean stop and after a kill -9
//     of the process. With Config.SyncWrites, also after a loss of power.
//   - No transaction that was open when the process was killed ever becomes
//     visible. kfake forgets such a transaction without a trace in the log,
//     which would hide later commits of the same producer and then bring the
//     aborted records back. So after an unclean stop every open transaction
//     gets its abort marker before the first client is let in, and [Broker.Boot]
//     gives a nonce that owners put into their transactional ids.
//   - Two processes never write one folder: the second is refused.
//   - Nothing beyond this machine can connect unless Config.Expose says so.
//     There is no authentication, and a malformed request ends the process.
//
// It does not promise that a transaction is whole after a kill: kfake ends one
// partition by partition, so a kill in the middle leaves it committed in some
// and aborted in others. Whoever writes several partitions in one transaction
// must find and mend that; the journal does. It does not keep the state of
// idempotent producers, nor the start of a trimmed log, over a kill: a producer
// in another process may append a batch twice, and trimmed records come back.
//
// It creates no topics. It holds in memory what it must read after a kill: a
// log beyond half of the machine's memory is reported at start, and refused
// after an unclean stop, because recovery would not fit.
//
// Stop order: stop intake, finish and end transactions, close the clients, then
// [Broker.Close]. A folder is marked while it is in use, and the mark goes with
// a clean close; what finds a mark was not stopped cleanly.
//
//	New ─▶ Start: lock ─▶ mark ─▶ load ─▶ end open transactions ─▶ let clients in
//	                                       (after an unclean stop)
package broker
