package pubsub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// WatermillUUID is the header in which Watermill's own Kafka Pub/Sub carries the UUID of a message. It is the default
// here.
const WatermillUUID = "_watermill_message_uuid"

// Config configures Publishers and Subscribers. Each ignores the fields that are only for the other. It has more fields
// than most structs because each one is a setting of its own, and nearly all of them may stay zero.
type Config struct {
	// Client holds the options of every Kafka client: seed brokers, client id and so on. They override the options that
	// this package sets.
	Client []kgo.Opt
	// UUIDHeader is the header that holds the UUID of a message. Any header other than WatermillUUID stays visible in the
	// metadata. A record without the header gets the UUID "topic/partition/offset". Empty means WatermillUUID.
	UUIDHeader string
	// Log receives warnings about failed fetches and commits. Nil discards them.
	Log *slog.Logger
	// Registerer registers the metrics of Subscribers. Nil exports none.
	Registerer prometheus.Registerer

	// ExplicitPartitions makes Publish refuse a message that does not name its partition. Set it for topics whose
	// partitions are lanes.
	ExplicitPartitions bool
	// PublishTimeout bounds one Publish, unless a record may have reached the broker: then the client tries on until it
	// knows. Close waits for that no longer than this. Zero means 30 seconds.
	PublishTimeout time.Duration
	// Published is called for each message that was written, with its record, which has its offset, before Publish
	// returns. A message whose write failed may still have been written. Nil calls nothing.
	Published func(*message.Message, *kgo.Record)

	// Group is the consumer group. Empty means none: every Subscriber gets every message from the beginning, and commits
	// nothing.
	Group string
	// Filter reports whether the handler needs a record. No message is made of the other records; their offsets are
	// committed in order like those of acked messages. It must not change the record. Nil passes every record.
	Filter func(*kgo.Record) bool
	// Assigned is called with the committed positions of the partitions that the group has just assigned, before any of
	// their messages is delivered. An error gives them up, and the member joins again. It may take as long as it needs,
	// because heartbeats continue, but it must return when its context ends. Nil calls nothing.
	Assigned func(context.Context, []Position) error
	// Metadata returns the text that is committed with every position of a partition. It is called for each commit, from
	// any goroutine. A broker accepts 4096 bytes by default. Nil commits no text of the handler's.
	Metadata func(partition int32) string
	// InstanceID makes the member static: after a restart within SessionTimeout it gets its partitions back without a
	// rebalance. It must be unique in the group; the topic's name is appended to it. Empty means a dynamic member.
	InstanceID string
	// SessionTimeout is how long a member may be silent before the group considers it dead. Zero means 10 seconds. A
	// cluster may enforce a lower bound, usually 6 seconds.
	SessionTimeout time.Duration
	// DrainTimeout is how long a handler may keep working on a message after its partition was revoked or the Subscriber
	// was closed. Zero means 5 seconds.
	DrainTimeout time.Duration
	// CommitInterval is the interval between commits of acked offsets. Zero means 100 milliseconds.
	CommitInterval time.Duration
	// FetchWait is how long the broker may hold back a fetch response to collect more records. On a busy topic this saves
	// one response per record. Zero means that the broker responds as soon as there is a record.
	FetchWait time.Duration
	// NackBackoff is the wait before a nacked message is delivered again; each further nack doubles it. Zero means 100
	// milliseconds.
	NackBackoff time.Duration
	// NackBackoffMax bounds that wait. Zero means 5 seconds.
	NackBackoffMax time.Duration
	// MaxBuffered is how many records of one partition may be queued before its fetching pauses. A pause discards what was
	// prefetched and halves the throughput, so the limit should only be reached by partitions that are stuck. Zero means
	// 10,000.
	MaxBuffered int
	// Partitions is the number of partitions that SubscribeInitialize gives to a missing topic. Zero means that a missing
	// topic is an error.
	Partitions int32
}

// Position is where a group continues in a partition.
type Position struct {
	Partition int32
	// Offset is the committed offset; negative if there is none.
	Offset int64
	// Metadata is the text that was committed with the offset. Other tools commit none, or text of their own.
	Metadata string
}

// DefaultConfig returns the configuration with every default filled in.
func DefaultConfig() Config { return Config{}.withDefaults() }

// Validate reports every problem at once.
func (c Config) Validate() error {
	var problems []error
	for name, d := range map[string]time.Duration{
		"publish timeout": c.PublishTimeout, "session timeout": c.SessionTimeout, "drain timeout": c.DrainTimeout,
		"commit interval": c.CommitInterval, "fetch wait": c.FetchWait,
		"nack backoff": c.NackBackoff, "nack backoff maximum": c.NackBackoffMax,
	} {
		if d < 0 {
			problems = append(problems, fmt.Errorf("pubsub %s %s: must not be negative", name, d))
		}
	}
	if c.InstanceID != "" && c.Group == "" {
		problems = append(problems, fmt.Errorf("pubsub instance id %q: needs a group", c.InstanceID))
	}
	if c.MaxBuffered < 0 {
		problems = append(problems, fmt.Errorf("pubsub max buffered %d: must not be negative", c.MaxBuffered))
	}
	if c.Partitions < 0 {
		problems = append(problems, fmt.Errorf("pubsub partitions %d: must not be negative", c.Partitions))
	}
	return errors.Join(problems...)
}

func (c Config) withDefaults() Config {
	c.UUIDHeader = cmp.Or(c.UUIDHeader, WatermillUUID)
	c.PublishTimeout = cmp.Or(c.PublishTimeout, 30*time.Second)
	c.SessionTimeout = cmp.Or(c.SessionTimeout, 10*time.Second)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 5*time.Second)
	c.CommitInterval = cmp.Or(c.CommitInterval, 100*time.Millisecond)
	c.NackBackoff = cmp.Or(c.NackBackoff, 100*time.Millisecond)
	c.NackBackoffMax = cmp.Or(c.NackBackoffMax, 5*time.Second)
	c.MaxBuffered = cmp.Or(c.MaxBuffered, 10_000)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
