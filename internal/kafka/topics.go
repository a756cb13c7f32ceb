package kafka

import (
	"maps"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/events"
)

// Partitioning says what the partitions of a topic are.
type Partitioning int

const (
	// ByLane topics have one partition a lane, chosen by shipment.
	ByLane Partitioning = iota
	// ByReturn topics are chosen by return id and joined with one another, so they have as many partitions as each other.
	ByReturn
	// Single topics have one partition.
	Single
)

// Backend says what kind of broker is spoken to, which decides the settings it can honour.
type Backend int

const (
	// Cluster is Apache Kafka or something that speaks as it does.
	Cluster Backend = iota
	// Embedded is the broker inside this process. It compacts without regard to open transactions, so nothing is compacted
	// there, and it keeps a whole segment in memory, so segments are small.
	Embedded
)

// embeddedSegmentBytes bounds how much an embedded broker holds before a trimmed inbox gives memory and disk back.
const embeddedSegmentBytes = 32 << 20

const (
	forever = time.Duration(-1)
	days    = 24 * time.Hour
)

// Topic is what one topic must be.
type Topic struct {
	// Name of the topic.
	Name string
	// Partitioning decides how many partitions it has.
	Partitioning Partitioning
	// Compact keeps the latest record of each key instead of deleting by age.
	Compact bool
	// Retention is how long a record is kept; negative is for ever. It has no meaning for a compacted topic.
	Retention time.Duration
}

// Topics returns the table of all topics, in the order in which they are created.
//
// The inbox is kept for ever because its owner trims it, below the position that is safe in the ledger; age must never
// do that.
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

// Partitions returns how many partitions the topic has in a ledger of so many lanes.
func (t Topic) Partitions(lanes int) int {
	if t.Partitioning == Single {
		return 1
	}
	return lanes
}

// Settings returns the topic's settings, in Kafka's own names, on a backend. They are what EnsureTopics creates with
// and checks against.
func (t Topic) Settings(cfg Config, on Backend) map[string]string {
	s := map[string]string{
		"cleanup.policy": "delete",
		"retention.ms":   retention(t.Retention),
		// Size must never delete what age keeps.
		"retention.bytes": "-1",
		// The time a record carries is the time it was recorded; the broker must not put its own in its place.
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
