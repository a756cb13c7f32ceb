package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/shipment"
)

// The variables that set fields of Config; cmd/ingest reads them.
const (
	EnvRepeatWithin   = "ORDERLEDGER_INGEST_REPEAT_WITHIN"
	EnvStandbys       = "ORDERLEDGER_INGEST_STANDBY"
	EnvCache          = "ORDERLEDGER_INGEST_CACHE_MIB"
	EnvInboxKeep      = "ORDERLEDGER_INBOX_KEEP"
	EnvSessionTimeout = "ORDERLEDGER_INGEST_SESSION_TIMEOUT"
	EnvWaitingCount   = "ORDERLEDGER_INGEST_WAITING_FACTS"
	EnvWaitingBytes   = "ORDERLEDGER_INGEST_WAITING_MIB"
)

// Config says which ledger an instance writes, and within which bounds. It has one field for each setting, and so more
// fields than other structs.
type Config struct {
	// Cluster names the ledger; consumer groups and the source of events carry it.
	Cluster string
	// Prefix is the prefix of every transactional id, see kafka.TransactionalPrefix. Empty means Cluster.
	Prefix string
	// InstanceID makes the instance a static member of the lanes' group, so that a restart within SessionTimeout moves
	// no lane. It must be unique and stable. Empty means a dynamic member, whose lanes move as soon as it leaves.
	InstanceID string
	// Advertise is the base URL at which other instances reach this one. Empty means that there are no others: nothing is
	// forwarded here, and lanes that the group takes away stop at once.
	Advertise string
	// Standbys is how many instances beside its owner keep the store of a lane up to date, so that taking it over is a
	// fence and a short read. The highest number in the group counts. Zero means none, except while a lane is about to
	// move; DefaultConfig has 1.
	Standbys int
	// RebalanceEvery is the shortest time between two rebalances that this instance asks for, because it has become warm
	// for lanes. Zero means 5 seconds.
	RebalanceEvery time.Duration
	// StoreDir holds one folder per lane. It is a cache and may be deleted while the journal is not running.
	StoreDir string
	// Lanes is the number of lanes of the ledger's layout. Run refuses topics with fewer partitions.
	Lanes int
	// Layout is the hash of the ledger's layout. The chains of all lanes begin with it, so that an instance with another
	// layout can't open any.
	Layout events.Hash
	// MaxBatch is the most inputs decided in one transaction. Zero means 1000.
	MaxBatch int
	// MaxBatchBytes is the size of its records at which a batch ends. Zero means 8 MiB.
	MaxBatchBytes int
	// MaxRecordBytes bounds one record; an input whose record would be larger is quarantined. Zero means
	// kafka.MaxMessageBytes less some room for the batch around it.
	MaxRecordBytes int
	// MaxDecisionBody is the largest input that a waiting or quarantined decision holds. Zero means 1 MiB.
	MaxDecisionBody int
	// CacheBytes bounds the memory of all lane stores together: half for blocks that Pebble has read, a quarter for its
	// write buffers (at least 512 KiB per lane), a quarter for encoded states. Zero means 128 MiB.
	CacheBytes int64
	// WaitingLimit is how long a fact waits for its shipment before it is quarantined. Zero means 72 hours.
	WaitingLimit time.Duration
	// WaitingCount is how many facts of one sender may wait for one shipment, and WaitingBytes how large they may be
	// together: their bodies, and the sellers that the sender speaks for if a fact names none. Those of all senders may be
	// ten times as many. A fact beyond either is quarantined with shipment.ReasonOverCap, and the creation does not apply
	// it. Zero means 1000 and 4 MiB.
	WaitingCount, WaitingBytes int
	// RepeatWithin is how long a command without a key repeats the one before: if the seller sends the same for a shipment
	// again, and nothing has happened to it since, the repeat gets the first answer. Clients send a request again on their
	// own when its connection breaks. Zero means 60 seconds, and a negative time never.
	RepeatWithin time.Duration
	// SessionTimeout is how long the group waits for an instance that went silent. Zero means 8 seconds.
	SessionTimeout time.Duration
	// RebalanceTimeout is how long the group waits for an instance to give lanes up. Zero means 5 seconds.
	RebalanceTimeout time.Duration
	// TransactionTimeout is the age at which the broker aborts an open transaction, and how long an instance waits for its
	// own transaction to be written before it takes the lane over again. Zero means 8 seconds.
	TransactionTimeout time.Duration
	// TakeoverTimeout is how long a step of a takeover may go without progress. Zero means 30 seconds.
	TakeoverTimeout time.Duration
	// ReleaseTimeout is how long a new owner waits for the last one to finish before it fences the lane. Zero means 500
	// milliseconds.
	ReleaseTimeout time.Duration
	// InboxCommitEvery is the interval at which inbox positions that move are committed to the inbox group; positions that
	// rest are committed at once. Zero means one second.
	InboxCommitEvery time.Duration
	// InboxKeep is how many records below its position a lane leaves in the inbox when it trims it. Zero keeps all.
	InboxKeep int64
	// InboxTrimEvery is the interval at which the inbox is trimmed, where InboxKeep is set. Zero means ten minutes.
	InboxTrimEvery time.Duration
	// Embedded says that the broker is the embedded one, which can tear a transaction when it is killed. A takeover then
	// repairs the lane; on a real cluster the same finding is damage, and the lane stays closed.
	Embedded bool
}

// DefaultConfig returns the configuration of an instance with its store in the working folder.
func DefaultConfig() Config {
	return Config{
		Cluster:  "orderledger",
		StoreDir: "lanes",
		Lanes:    kafka.DefaultLanes,
		Standbys: 1,
	}.withDefaults()
}

func (c Config) withDefaults() Config {
	orElse(&c.Prefix, c.Cluster)
	orElse(&c.MaxBatch, 1000)
	orElse(&c.MaxBatchBytes, 8<<20)
	orElse(&c.MaxRecordBytes, kafka.MaxMessageBytes-8<<10)
	orElse(&c.MaxDecisionBody, 1<<20)
	orElse(&c.CacheBytes, 128<<20)
	orElse(&c.WaitingLimit, 72*time.Hour)
	orElse(&c.WaitingCount, 1000)
	orElse(&c.WaitingBytes, 4<<20)
	orElse(&c.RepeatWithin, time.Minute)
	orElse(&c.SessionTimeout, 8*time.Second)
	orElse(&c.RebalanceTimeout, 5*time.Second)
	orElse(&c.TransactionTimeout, 8*time.Second)
	orElse(&c.TakeoverTimeout, 30*time.Second)
	orElse(&c.ReleaseTimeout, 500*time.Millisecond)
	orElse(&c.RebalanceEvery, 5*time.Second)
	orElse(&c.InboxCommitEvery, time.Second)
	orElse(&c.InboxTrimEvery, 10*time.Minute)
	return c
}

func orElse[T comparable](v *T, otherwise T) {
	if zero := *new(T); *v == zero {
		*v = otherwise
	}
}

// Validate returns all problems of the configuration, joined.
func (c Config) Validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.Cluster == "" {
		bad("journal cluster: a name is needed")
	}
	if c.StoreDir == "" {
		bad("journal store folder: a path is needed")
	}
	if c.Lanes < 1 || c.Lanes > kafka.MaxLanes {
		bad("journal lanes %d: want 1 to %d", c.Lanes, kafka.MaxLanes)
	}
	if c.MaxBatch < 0 || c.MaxBatch > 100_000 {
		bad("journal batch of %d inputs: want 0 (1000) to 100000", c.MaxBatch)
	}
	if c.MaxRecordBytes < 0 || c.MaxRecordBytes > kafka.MaxMessageBytes {
		bad("journal record of %d bytes: want 0 (the default) to %d", c.MaxRecordBytes, kafka.MaxMessageBytes)
	}
	if c.MaxDecisionBody < 0 || c.MaxDecisionBody >= kafka.MaxMessageBytes/2 {
		bad("journal decision body of %d bytes: want 0 (1 MiB) to below %d", c.MaxDecisionBody, kafka.MaxMessageBytes/2)
	}
	if c.MaxBatchBytes < 0 {
		bad("journal batch of %d bytes: want 0 (8 MiB) or more", c.MaxBatchBytes)
	}
	if c.WaitingCount < 0 {
		bad("%s: %d: want 0 (1000) or more", EnvWaitingCount, c.WaitingCount)
	}
	if c.WaitingBytes < 0 {
		bad("%s: %d: want 0 (4) or more", EnvWaitingBytes, c.WaitingBytes>>20)
	}
	if c.Standbys < 0 || c.Standbys > maxStandbys {
		bad("%s: %d: want 0 to %d", EnvStandbys, c.Standbys, maxStandbys)
	}
	if c.CacheBytes < 0 {
		bad("%s: %d: want 0 (128) or more", EnvCache, c.CacheBytes>>20)
	}
	if c.InboxKeep < 0 {
		bad("%s: %d: want 0 (all) or more", EnvInboxKeep, c.InboxKeep)
	}
	for name, d := range map[string]time.Duration{
		"journal waiting limit": c.WaitingLimit, EnvSessionTimeout: c.SessionTimeout,
		"journal rebalance timeout": c.RebalanceTimeout, "journal transaction timeout": c.TransactionTimeout,
		"journal takeover timeout": c.TakeoverTimeout, "journal release timeout": c.ReleaseTimeout,
		"journal rebalance interval": c.RebalanceEvery, "journal inbox commit interval": c.InboxCommitEvery,
		"journal inbox trim interval": c.InboxTrimEvery,
	} {
		if d < 0 {
			bad("%s: %s: want 0 (the default) or more", name, d)
		}
	}
	return errors.Join(problems...)
}

// maxStandbys bounds the number of standbys of a lane. Each reads and stores everything again.
const maxStandbys = 16

// Deps are the dependencies of a Journal.
type Deps struct {
	// Options are the broker options of every client, as kafka.Options gives them.
	Options []kgo.Opt
	// Decode returns the input that an inbox record holds; marketplace.Decode makes one. An error means that nobody can
	// read the record, and quarantines it. It must be pure: a record is decoded again after a crash, and when its waiting
	// ends.
	Decode func(shipmentID, sellerID string, body []byte) (shipment.Input, error)
	// CheckLayout returns an error unless the ledger still has the layout with which the instance was started. Each
	// takeover begins with it. Nil checks nothing.
	CheckLayout func(ctx context.Context) error
	// AskRelease asks the instance that advertised a URL to call Release for a lane. Nil means that lanes are fenced
	// without asking, and stop at once when the group takes them away.
	AskRelease func(ctx context.Context, url string, lane int32) error
	// Policy returns the configured policy of a seller and location. Nil means the zero policy for all.
	Policy func(sellerID, locationID string) shipment.Policy
	// ClockGood reports whether the clock of this machine can be trusted; lanes go to instances with a good clock first.
	// It must not block. Nil means that it can.
	ClockGood func() bool
	// DiskFull returns an error that names a disk of Kafka that is full, if one is. It explains why a lane closed. It must
	// not block. Nil means that nobody knows.
	DiskFull func() error
	// Log gets one line per outcome: at WARN for quarantined inputs, otherwise at DEBUG. Nil means none.
	Log *slog.Logger
	// Registerer gets the metrics. Nil means none.
	Registerer prometheus.Registerer
	// Now is the wall clock. Nil means time.Now.
	Now func() time.Time
	// Clock returns the time of a seller: inputs of the seller are decided as of it. Every instance must give the same
	// answer. Nil, or a zero time, means the wall clock.
	Clock func(sellerID string) time.Time
}

func (d Deps) withDefaults() Deps {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Policy == nil {
		d.Policy = func(string, string) shipment.Policy { return shipment.Policy{} }
	}
	if d.Decode == nil {
		d.Decode = func(string, string, []byte) (shipment.Input, error) { return nil, errors.New("no decoder was given") }
	}
	return d
}
