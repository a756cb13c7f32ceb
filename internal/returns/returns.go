package returns

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/service"
)

// Config says where a Returns keeps its cache and within which bounds it works. Every field but InstanceID is needed.
type Config struct {
	// Cluster names the ledger: consumer groups carry it.
	Cluster string
	// Lanes is the number of lanes of the ledger. The topics may have more partitions; nothing is written to those.
	Lanes int
	// Dir is the folder of the pending store. Run empties the store in it.
	Dir string
	// Limit is how long a notification waits for the shipment of its return.
	Limit time.Duration
	// AppendTimeout bounds one try to append to the inbox, and one request for the ends of topics.
	AppendTimeout time.Duration
	// InstanceID makes the workers static members of their groups; empty means dynamic members.
	InstanceID string
	// SessionTimeout is how long a member of the groups may be silent.
	SessionTimeout time.Duration
	// Marketplace says how bodies are read, as everywhere in the instance.
	Marketplace marketplace.Settings
}

// Deps are the dependencies of a Returns. It closes none of them.
type Deps struct {
	// Options are the broker options of every client, as kafka.Options gives them.
	Options []kgo.Opt
	// Producer writes records to the partitions that they name.
	Producer *kgo.Client
	// Inbox gets the notifications whose shipments are known.
	Inbox *journal.Inbox
	// Log gets one line per outcome that matters to operators.
	Log *slog.Logger
	// Registerer gets the metrics. Nil means none.
	Registerer prometheus.Registerer
	// Now is the clock. It is read once, in New; see steady.
	Now func() time.Time
}

// Returns stores notifications of returns and resolves them. Many goroutines may use it.
type Returns struct {
	cfg      Config
	deps     Deps
	now      func() time.Time // A steady clock.
	resolved *prometheus.CounterVec
}

// New returns a Returns that resolves nothing until its units run; Append works from the start.
func New(cfg Config, d Deps) (*Returns, error) {
	r := &Returns{cfg: cfg, deps: d, now: steady(d.Now), resolved: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "orderledger_ingest_resolved_total",
		Help: "Notifications without a shipment by when it was found: at_once, later, never, or ambiguous where several " +
			"could be meant; unreadable where the body is.",
	}, []string{"how"})}
	if d.Registerer != nil {
		if err := d.Registerer.Register(r.resolved); err != nil {
			return nil, fmt.Errorf("returns: register metrics: %w", err)
		}
	}
	return r, nil
}

// Units returns the workers. They may stop in any order.
func (r *Returns) Units() []service.Unit {
	aliases := &aliasWorker{cfg: r.cfg, options: r.deps.Options, producer: r.deps.Producer, log: r.deps.Log}
	res := &resolver{
		cfg: r.cfg, options: r.deps.Options, admin: kadm.NewClient(r.deps.Producer), inbox: r.deps.Inbox,
		producer: r.deps.Producer,
		log:      r.deps.Log, now: r.now, resolved: r.resolved,
	}
	return []service.Unit{{Name: "aliases", Run: aliases.run}, {Name: "resolver", Run: res.run}}
}

// Append stores a notification without a shipment, for the resolver. When it returns without an error the notification
// is durable, at that position of orders.unresolved.v1. rec's ShipmentID and Key are not stored: they follow once the
// shipment is known. Nor is its ReceivedAt: the wait begins by the steady clock, or a clock that somebody has set back
// would end it at once.
func (r *Returns) Append(
	ctx context.Context, n marketplace.Notification, rec journal.InboxRecord,
) (partition int32, offset int64, err error) {
	rec.ReceivedAt = r.now()
	out := unresolvedRecord(subjectOf(&n), r.cfg.Lanes, rec)
	if err := kafka.Produce(ctx, r.deps.Producer, out); err != nil {
		return 0, 0, fmt.Errorf("produce to %s: %w", events.TopicUnresolved, err)
	}
	return out.Partition, out.Offset, nil
}
