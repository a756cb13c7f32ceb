// Package kafka holds what all programs share about Kafka: how to connect, which topics exist and with which settings,
// which consumer groups, and how the transactional ids of a lane are named.
//
// It promises:
//
//   - Topics are declared once. [Topics] is the table; [EnsureTopics] creates the missing ones and then checks them
//     all, so that a program refuses to start on a topic that would lose or reorder data.
//   - The number of lanes is found in one place. The partitions of the ledger's topics are the lanes. Topics that
//     disagree with one another, or with the configured number, are an error that says so, never a guess. Nothing here
//     changes the number of partitions of an existing topic: it would move shipments to other lanes.
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
