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
	// ByReturn topics have one partition for each lane too, but a return id chooses it. They are joined with one another.
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

// Topics returns all topics, in the order in which they are created. The layout is the first; see EnsureLayout.
//
// The inbox has no retention: the owner of a lane trims it, below the offset that is safe in the ledger. Age must never
// delete a record that is not decided yet.
func Topics() []Topic {
	return []Topic{
		{Name: events.TopicLayout, Partitioning: Single, Retention: forever},
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

// Partitions returns the number of partitions of the topic in a ledger with that many lanes. The topic may have more.
func (t Topic) Partitions(lanes int) int {
	if t.Partitioning == Single {
		return 1
	}
	return lanes
}

// The settings of Apache Kafka, since 3.6, that bound how far the timestamp of a record may be from the broker's clock.
// The default of the first is an hour.
const (
	timestampAfter  = "message.timestamp.after.max.ms"
	timestampBefore = "message.timestamp.before.max.ms"
	anyTime         = "9223372036854775807"
)

// dropOptional removes the settings that not every broker knows, and reports whether it found any.
func dropOptional(settings map[string]string) bool {
	_, found := settings[timestampAfter]
	delete(settings, timestampAfter)
	delete(settings, timestampBefore)
	return found
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
		// Records stay as the producers compressed them: with a codec that every client reads. See Options.
		"compression.type": "producer",
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
	if on == Cluster {
		// A clock may be wrong in either direction. A broker that refuses its timestamps would stop a lane for it.
		s[timestampAfter], s[timestampBefore] = anyTime, anyTime
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
