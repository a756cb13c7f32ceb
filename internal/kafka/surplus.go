package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// Surplus is the partitions that a topic has beyond those of the layout. Nothing of this project writes or reads them,
// and no group assigns them: see LanesOnly.
type Surplus struct {
	// Topic is its name.
	Topic string
	// First is the number of the first surplus partition, Partitions how many there are.
	First, Partitions int
	// Records is how many records they hold. Another program has written those, and nobody will read them.
	Records int64
}

// surplusOf returns the surplus of all topics that have any.
func surplusOf(ctx context.Context, adm *kadm.Client, cfg Config, lanes int) ([]Surplus, error) {
	existing, err := list(ctx, adm, cfg)
	if err != nil {
		return nil, err
	}
	var found []Surplus
	var names []string
	for _, t := range Topics() {
		first := t.Partitions(lanes)
		if n := len(existing[t.Name].Partitions); n > first {
			found = append(found, Surplus{Topic: t.Name, First: first, Partitions: n - first})
			names = append(names, t.Name)
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	starts, err := adm.ListStartOffsets(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("starts of partitions: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("ends of partitions: %w", err)
	}
	for n := range found {
		s := &found[n]
		for p := range s.Partitions {
			start, ok1 := starts.Lookup(s.Topic, int32(s.First+p))
			end, ok2 := ends.Lookup(s.Topic, int32(s.First+p))
			if ok1 && ok2 && start.Err == nil && end.Err == nil {
				s.Records += end.Offset - start.Offset
			}
		}
	}
	return found, nil
}

// LayoutMonitor exports what the layout of the ledger is, and warns about partitions that are not in it.
type LayoutMonitor struct {
	cfg        Config
	layout     events.Layout
	adm        *kadm.Client
	log        *slog.Logger
	partitions *prometheus.GaugeVec
	records    *prometheus.GaugeVec
}

// NewLayoutMonitor returns a monitor that does nothing until Run. A nil registerer exports nothing.
func NewLayoutMonitor(
	client *kgo.Client, cfg Config, layout events.Layout, log *slog.Logger, reg prometheus.Registerer,
) (*LayoutMonitor, error) {
	m := &LayoutMonitor{
		cfg: cfg, layout: layout, adm: kadm.NewClient(client), log: log,
		partitions: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "orderledger_kafka_surplus_partitions",
			Help: "Partitions of a topic beyond those of the ledger's layout. Nothing writes or reads them.",
		}, []string{"topic"}),
		records: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "orderledger_kafka_surplus_records",
			Help: "Records in the surplus partitions of a topic. Another program wrote them, and nobody reads them.",
		}, []string{"topic"}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "orderledger_layout_info", Help: "1; the labels are the recorded layout of the ledger.",
		ConstLabels: prometheus.Labels{
			"ledger_id": layout.LedgerID, "cluster": layout.Cluster, "partitioner": layout.Partitioner,
			"format": fmt.Sprint(layout.Format), "lanes": fmt.Sprint(layout.Lanes),
		},
	})
	info.Set(1)
	for _, t := range Topics() {
		m.partitions.WithLabelValues(t.Name)
		m.records.WithLabelValues(t.Name)
	}
	if reg != nil {
		for _, c := range []prometheus.Collector{m.partitions, m.records, info} {
			if err := reg.Register(c); err != nil {
				return nil, fmt.Errorf("register metrics of the layout: %w", err)
			}
		}
	}
	return m, nil
}

// surplusEvery is the interval at which the monitor looks at the topics. Partitions are added by hand, and stay.
const surplusEvery = time.Minute

// Run looks at the topics every minute until ctx ends.
func (m *LayoutMonitor) Run(ctx context.Context) error {
	tick := time.NewTicker(surplusEvery)
	defer tick.Stop()
	m.log.InfoContext(ctx, "ledger opened", slog.String("ledger_id", m.layout.LedgerID),
		slog.String("cluster", m.layout.Cluster), slog.Uint64("format", uint64(m.layout.Format)),
		slog.String("partitioner", m.layout.Partitioner), slog.Uint64("lanes", uint64(m.layout.Lanes)))
	for {
		m.look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look exports and logs the surplus that there is now.
func (m *LayoutMonitor) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.timeout())
	defer cancel()
	found, err := surplusOf(ctx, m.adm, m.cfg, int(m.layout.Lanes))
	if err != nil {
		if ctx.Err() == nil {
			m.log.WarnContext(ctx, "surplus partitions not counted", slog.Any("err", err))
		}
		return
	}
	for _, s := range found {
		m.partitions.WithLabelValues(s.Topic).Set(float64(s.Partitions))
		m.records.WithLabelValues(s.Topic).Set(float64(s.Records))
		m.log.WarnContext(ctx, "surplus partitions found", slog.String("topic", s.Topic), slog.Int("first", s.First),
			slog.Int("partitions", s.Partitions), slog.Int64("records", s.Records))
	}
}
