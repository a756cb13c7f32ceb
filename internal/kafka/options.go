package kafka

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
)

// MaxMessageBytes is max.message.bytes of every topic: the largest record batch a broker must take. It is far above
// what a shipment's state needs.
const MaxMessageBytes = 4 << 20

// batchSlack keeps a full batch below MaxMessageBytes: the broker counts the batch header too.
const batchSlack = 1 << 10

// Options returns the client options that hold for every client of the project. Later options win, so callers append
// their own.
//
// There is deliberately no RecordDeliveryTimeout: it counts from the record's timestamp, and records carry the time
// they were recorded, which may lie in the past.
func Options(cfg Config) []kgo.Opt {
	id := cfg.ClientID
	if id == "" {
		id = "orderledger"
	}
	return append([]kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ClientID(id),
		// The callers batch on their own (group commit), and the client's default of 10 ms would be added to every answer.
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(MaxMessageBytes - batchSlack),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RequestTimeoutOverhead(10 * time.Second),
		// Leaders move and topics appear; five seconds of stale metadata is the default and too long for a takeover.
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.MetadataMaxAge(time.Minute),
	}, cfg.securityOptions()...)
}

// ManualPartitions makes a producer write each record to the partition the record names. Whoever writes a lane topic
// must use it: the lane is chosen by the ledger's own number of lanes, never by a client's default.
func ManualPartitions() kgo.Opt {
	return kgo.RecordPartitioner(kgo.ManualPartitioner())
}

// Metrics returns an option that exports one client's metrics under the namespace "orderledger_kafka" and the label
// client_id. A nil registerer exports nothing. Call it once for each client, and give clients that live side by side
// different client ids: of several with one id, the newest is the one exported, so that a lane that is taken over again
// keeps its metrics.
func Metrics(reg prometheus.Registerer) kgo.Opt {
	if reg == nil {
		return kgo.WithHooks()
	}
	return kgo.WithHooks(kprom.NewMetrics("orderledger_kafka",
		kprom.Registerer(replacing{reg}),
		kprom.WithClientLabel(),
		kprom.FetchAndProduceDetail(kprom.ByTopic, kprom.Batches, kprom.Records, kprom.UncompressedBytes),
	))
}

// replacing registers a collector in place of an equal one. The metrics plugin registers when a client is made and
// panics on the second of a name.
type replacing struct{ prometheus.Registerer }

func (r replacing) Register(c prometheus.Collector) error {
	err := r.Registerer.Register(c)
	var old prometheus.AlreadyRegisteredError
	if errors.As(err, &old) {
		r.Unregister(old.ExistingCollector)
		err = r.Registerer.Register(c)
	}
	return err
}

func (r replacing) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := r.Register(c); err != nil {
			panic(err) // Two different metrics of one name: a programmer's mistake.
		}
	}
}
