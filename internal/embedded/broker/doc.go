// Package broker is the embedded Kafka: franz-go's kfake on a real port, with a data folder. It is for trials, for
// development and for a single node. Production is a Kafka cluster at an address, on the same code path.
//
// It promises, on one node:
//
//   - Acknowledged records survive a clean stop and a kill -9 of the process. With Config.SyncWrites they also survive
//     a loss of power.
//   - No transaction that was open when the process was killed ever becomes visible. kfake forgets such a transaction
//     without a trace in the log, which would hide later commits of the same producer and then bring the aborted
//     records back. So after an unclean stop the broker writes an abort marker for every open transaction before it
//     accepts the first client, and [Broker.Boot] gives a nonce that owners put into their transactional ids.
//   - Two processes never write one folder: the second is refused.
//   - Nothing beyond this machine can connect unless Config.Expose says so. There is no authentication, and a malformed
//     request ends the process.
//
// It does not promise that a transaction is whole after a kill. kfake ends a transaction partition by partition, so a
// kill in the middle leaves it committed in some partitions and aborted in others. A program that writes several
// partitions in one transaction must find and repair that; the journal does. It keeps neither the state of idempotent
// producers nor the start of a trimmed log across a kill: a producer in another process may append a batch twice, and
// trimmed records come back.
//
// # A full disk
//
// The broker leaves a reserve of its disk free (Config.ReserveBytes). Below it, records are refused with
// KAFKA_STORAGE_ERROR, and everything else goes on; when there is space again, so do records, without a restart.
// DescribeLogDirs reports the space above the reserve. If a write fails nevertheless, because of a quota, a broken disk
// or a program that fills the disk faster than it can be looked at, the broker closes all connections before it answers
// (kfake would answer success to the end of a transaction that it could not write) and Await returns an error. The
// process must then end; the folder is as after a kill.
//
// It creates no topics. After a kill it reads the whole log into memory. It therefore warns at start about a log of
// more than half of the machine's memory, and refuses to start on one after an unclean stop.
//
// Stop order: stop intake, finish and end transactions, close the clients, then [Broker.Close]. The file RUNNING is in
// the folder while it is in use, and a clean close removes it: a broker that finds it was not stopped cleanly.
//
//	New ─▶ Start: lock ─▶ write RUNNING ─▶ load ─▶ end open transactions ─▶ accept clients
//	                                               (after an unclean stop)
package broker
