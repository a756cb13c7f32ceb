// Package kafka holds what all programs share about Kafka: how to connect, which topics exist and with which settings,
// which consumer groups, and how the transactional ids of a lane are named.
//
// It promises:
//
//   - Topics are declared once. [Topics] is the table; [EnsureTopics] creates the missing ones and then checks them
//     all, so that a program refuses to start on a topic that would lose or reorder data.
//   - What a ledger is stands in its log, before everything else: [EnsureLayout] records it, and refuses a Kafka that
//     holds another ledger. Nothing counts partitions; a topic may have more than the layout has lanes, and [LanesOnly]
//     keeps groups from assigning those.
//   - Only ingest and the all-in-one create a ledger. [LedgerWait] is for the programs that wait for it.
//   - Settings of existing topics are never changed behind the operator's back. An error names the wrong setting
//     together with the command that corrects it.
//   - [Clock] measures this machine's clock against the cluster's, and stops nothing.
//
// It deliberately holds no producers and consumers: each package builds its own client from [Options], because the
// right partitioner, isolation level and transactional id differ from one to the next.
//
// It fails with errors that join all problems, each saying what to do. A broker that does not answer within
// Config.Timeout is an error too.
package kafka
