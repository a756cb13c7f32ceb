package kafka

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
)

// MaxMessageBytes is max.message.bytes of every topic, the largest record batch that a broker accepts.
// shipment.MaxEventBytes stays below it.
const MaxMessageBytes = 4 << 20

// batchSlack keeps a full batch below MaxMessageBytes: the broker counts the batch header too.
const batchSlack = 1 << 10

// Options returns the options of every Kafka client of the project. Later options win, so callers append their own.
//
// There is deliberately no RecordDeliveryTimeout: kgo counts it from the timestamp of the record, which is the time of
// recording and may lie in the past.
//
// Config.Lanes must be that of the layout for a client that joins a group.
func Options(cfg Config) []kgo.Opt {
	id := cfg.ClientID
	if id == "" {
		id = "orderledger"
	}
	return append([]kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ClientID(id),
		// The callers batch on their own (group commit); the client's default of 10 ms would delay every answer.
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(MaxMessageBytes - batchSlack),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// The client's default is snappy, which kafkajs and other clients can't read without a further library. Most records
		// are written one by one, and then any codec costs more than it saves; see Compressed. ProducerBatchCompression would
		// be a data race: every client made of these options writes into the same list of codecs.
		kgo.WithCompressor(uncompressed{}),
		kgo.RequestTimeoutOverhead(10 * time.Second),
		// Leaders move and topics appear. The default of five seconds of stale metadata is too long for a takeover.
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.MetadataMaxAge(time.Minute),
		// The client's own default, without the partitions that the layout does not have. A client that chooses another
		// balancer must wrap it too.
		kgo.Balancers(LanesOnly(kgo.CooperativeStickyBalancer(), cfg.Lanes)),
	}, cfg.securityOptions()...)
}

// ManualPartitions makes a producer write each record to the partition that the record names. Every producer of a lane
// topic must use it: the lane follows from the ledger's number of lanes, never from a client's default.
func ManualPartitions() kgo.Opt {
	return kgo.RecordPartitioner(kgo.ManualPartitioner())
}

// Metrics returns an option that exports the metrics of one client under the namespace "orderledger_kafka" and the
// label client_id. A nil registerer exports nothing. Call it once for each client, and give clients that run at the
// same time different client ids: of several clients with one id only the newest is exported, so that a lane keeps its
// metrics when it is taken over again.
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

// replacing registers a collector in place of an equal one. The metrics plugin registers when a client is created and
// panics when the name is taken.
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
			panic(err) // Two different metrics with one name are a programming error.
		}
	}
}
