package pubsub

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// WatermillUUID is the header in which Watermill's own Kafka Pub/Sub carries a
// message's UUID, and the default here.
const WatermillUUID = "_watermill_message_uuid"

// Config is for Publishers and Subscribers; what is not for one is ignored by
// it.
type Config struct {
	// Client are the options of every client that is made: seed brokers,
	// client id and so on. They win over this package's own.
	Client []kgo.Opt
	// UUIDHeader is the header that holds a message's UUID. A header other
	// than WatermillUUID stays visible in the metadata. A record without it
	// gets "topic/partition/offset".
	UUIDHeader string
	// Log gets what goes wrong. Nil logs nothing.
	Log *slog.Logger
	// Registerer gets the metrics of Subscribers. Nil exports nothing.
	Registerer prometheus.Registerer

	// ExplicitPartitions refuses to publish a message that does not name its
	// partition. It is for the topics whose partitions are lanes.
	ExplicitPartitions bool
	// PublishTimeout bounds one Publish. Zero means 30 seconds.
	PublishTimeout time.Duration

	// Group is the consumer group. Empty means none: every Subscriber gets
	// every message, from the beginning, and nothing is committed.
	Group string
	// Wants tells whether a record is for the handler. The others are as good as acked, in their turn, and no message is
	// made of them. It must not change the record. Nil wants all.
	Wants func(*kgo.Record) bool
	// InstanceID makes the member static: after a restart within
	// SessionTimeout it has its partitions back without a rebalance. It must
	// be unique in the group; the topic's name is added to it. Empty means a
	// dynamic member.
	InstanceID string
	// SessionTimeout is after how long a silent member is dead. Zero means 10
	// seconds. A cluster may have a lower bound, usually 6 seconds.
	SessionTimeout time.Duration
	// DrainTimeout is how long a message in hand may take when its partition
	// is given up or the Subscriber is closed. Zero means 5 seconds.
	DrainTimeout time.Duration
	// CommitInterval is how often acked offsets are committed. Zero means 100
	// milliseconds.
	CommitInterval time.Duration
	// Gather is how long the broker may collect messages before it hands them
	// over. On a busy topic that spares it an answer for every single one. Zero
	// means not at all.
	Gather time.Duration
	// NackBackoff is the wait before a message that was nacked once is handed
	// out again; each further nack doubles it. Zero means 100 milliseconds.
	NackBackoff time.Duration
	// NackBackoffMax bounds the wait. Zero means 5 seconds.
	NackBackoffMax time.Duration
	// MaxBuffered is the number of records of one partition that wait here
	// before it is paused. A pause throws away what was fetched ahead and
	// halves the throughput, so this is for partitions that are stuck. Zero
	// means 10,000.
	MaxBuffered int
	// Partitions is how many partitions SubscribeInitialize gives to a topic
	// that is missing. Zero means that it creates none and reports it.
	Partitions int32
}

// DefaultConfig returns the configuration in which every zero is written out.
func DefaultConfig() Config { return Config{}.withDefaults() }

// Validate returns all problems of the configuration, joined.
func (c Config) Validate() error {
	var problems []error
	for name, d := range map[string]time.Duration{
		"publish timeout": c.PublishTimeout, "session timeout": c.SessionTimeout, "drain timeout": c.DrainTimeout, "gather": c.Gather,
		"commit interval": c.CommitInterval, "nack backoff": c.NackBackoff, "nack backoff maximum": c.NackBackoffMax,
	} {
		if d < 0 {
			problems = append(problems, fmt.Errorf("pubsub %s %s: want 0 (the default) or more", name, d))
		}
	}
	if c.InstanceID != "" && c.Group == "" {
		problems = append(problems, fmt.Errorf("pubsub instance id %q: of no use without a group", c.InstanceID))
	}
	if c.MaxBuffered < 0 {
		problems = append(problems, fmt.Errorf("pubsub max buffered %d: want 0 (the default) or more", c.MaxBuffered))
	}
	if c.Partitions < 0 {
		problems = append(problems, fmt.Errorf("pubsub partitions %d: want 0 (create nothing) or more", c.Partitions))
	}
	return errors.Join(problems...)
}

func (c Config) withDefaults() Config {
	for d, value := range map[*time.Duration]time.Duration{
		&c.PublishTimeout: 30 * time.Second, &c.SessionTimeout: 10 * time.Second, &c.DrainTimeout: 5 * time.Second,
		&c.CommitInterval: 100 * time.Millisecond, &c.NackBackoff: 100 * time.Millisecond, &c.NackBackoffMax: 5 * time.Second,
	} {
		if *d == 0 {
			*d = value
		}
	}
	if c.MaxBuffered == 0 {
		c.MaxBuffered = 10_000
	}
	if c.UUIDHeader == "" {
		c.UUIDHeader = WatermillUUID
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
