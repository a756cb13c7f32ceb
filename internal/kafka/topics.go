package kafka

import (
	"maps"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/events"
)

// Partitioning says how records are assigned to the partitions of a topic.
type Partitioning int

const (
	// ByLane topics have one partition for each lane, chosen by shipment.
	ByLane Partitioning = iota
	// ByReturn topics are partitioned by return id and joined with one another, so they all have the same number of
	// partitions.
	ByReturn
	// Single topics have one partition.
	Single
)

// Backend is the kind of broker. It decides which topic settings are possible.
type Backend int

const (
	// Cluster is Apache Kafka or a compatible server.
	Cluster Backend = iota
	// Embedded is the broker inside a process of ours. It compacts without regard to open transactions, so no topic is
	// compacted there, and it keeps a whole segment in memory, so segments are small.
	Embedded
)

// embeddedSegmentBytes bounds how much an embedded broker holds before a trimmed inbox frees memory and disk.
const embeddedSegmentBytes = 32 << 20

const (
	forever = time.Duration(-1)
	days    = 24 * time.Hour
)

// Topic describes how one topic must be set up.
type Topic struct {
	// Name of the topic.
	Name string
	// Partitioning decides its number of partitions.
	Partitioning Partitioning
	// Compact keeps the latest record of each key instead of deleting by age.
	Compact bool
	// Retention is how long a record is kept; negative means for ever. A compacted topic ignores it.
	Retention time.Duration
}

// Topics returns all topics, in the order in which they are created.
//
// The inbox has no retention: the owner of a lane trims it, below the offset that is safe in the ledger. Age must never
// delete a record that is not decided yet.
func Topics() []Topic {
	return []Topic{
		{Name: events.TopicEvents, Partitioning: ByLane, Retention: forever},
		{Name: events.TopicDecisions, Partitioning: ByLane, Retention: forever},
		{Name: events.TopicInbox, Partitioning: ByLane, Retention: forever},
		{Name: events.TopicUnresolved, Partitioning: ByReturn, Retention: 30 * days},
		{Name: events.TopicAliases, Partitioning: ByReturn, Compact: true},
		{Name: events.TopicSuborders, Partitioning: ByLane, Retention: 90 * days},
		{Name: events.TopicDeliveries, Partitioning: ByLane, Retention: 90 * days},
		{Name: events.TopicSuborderQueues, Partitioning: ByLane, Compact: true},
		{Name: events.TopicDeadLetters, Partitioning: Single, Retention: 90 * days},
	}
}

// Partitions returns the number of partitions of the topic in a ledger with that many lanes.
func (t Topic) Partitions(lanes int) int {
	if t.Partitioning == Single {
		return 1
	}
	return lanes
}

// Settings returns the settings of the topic on a backend, under Kafka's names. EnsureTopics creates topics with them
// and checks existing topics against them.
func (t Topic) Settings(cfg Config, on Backend) map[string]string {
	s := map[string]string{
		"cleanup.policy": "delete",
		"retention.ms":   retention(t.Retention),
		// Size must never delete a record that age keeps.
		"retention.bytes": "-1",
		// The timestamp of a record is the time of recording; the broker must not replace it with its own.
		"message.timestamp.type": "CreateTime",
		"max.message.bytes":      strconv.Itoa(MaxMessageBytes),
	}
	if t.Compact {
		s["cleanup.policy"] = "compact"
		delete(s, "retention.ms")
	}
	if on == Embedded {
		maps.Copy(s, map[string]string{
			"cleanup.policy": "delete",
			"retention.ms":   "-1",
			"segment.bytes":  strconv.Itoa(embeddedSegmentBytes),
		})
	}
	if cfg.MinISR > 0 && on == Cluster {
		s["min.insync.replicas"] = strconv.Itoa(cfg.MinISR)
	}
	return s
}

func retention(d time.Duration) string {
	if d < 0 {
		return "-1"
	}
	return strconv.FormatInt(d.Milliseconds(), 10)
}
