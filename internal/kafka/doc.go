// Package kafka holds what every program shares about Kafka: how to reach it, which topics there are and with what
// settings, and how a lane's transactional ids are named.
//
// It promises:
//
//   - One statement of every topic. [Topics] is the table; [EnsureTopics] creates what is missing and then checks what
//     is there, so that a program refuses to start on a topic that would lose or reorder data.
//   - Lanes are counted once. The partitions of the ledger's topics are the lanes; topics that disagree with one
//     another, or with the configured number, are an error in words, never a guess. Nothing here ever changes the
//     number of partitions of a topic that exists: it would move shipments to other lanes.
//   - Settings are never altered behind the operator's back. A setting that is wrong is named together with the command
//     that mends it.
//
// It deliberately does not hold producers or consumers: each package builds its own client from [Options], because what
// makes them right (partitioner, isolation, transactional id) differs from one to the next.
//
// It fails with errors that join all the problems found, each saying what to do. A broker that does not answer within
// Config.Timeout is an error too.
package kafka
