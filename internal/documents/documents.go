package documents

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Config says where documents are kept and how the worker works. Every field but InstanceID is needed.
type Config struct {
	// Cluster names the ledger: the consumer group carries it.
	Cluster string
	// Dir is the folder of the documents. Instances may share it.
	Dir string
	// Currency is the currency of all amounts.
	Currency string
	// SubmitTimeout bounds one try to submit a result.
	SubmitTimeout time.Duration
	// InstanceID makes the worker a static member of its group; empty means a dynamic one.
	InstanceID string
	// SessionTimeout is how long a member of the group may be silent.
	SessionTimeout time.Duration
}

// Deps are the dependencies of a Documents. It closes none of them.
type Deps struct {
	// Options are the broker options of every client, as kafka.Options gives them.
	Options []kgo.Opt
	// Submitter decides the worker's commands.
	Submitter Submitter
	// Sellers says which sellers pack here, and what is printed about them.
	Sellers *sellers.Live
	// Log gets one line per packed shipment.
	Log *slog.Logger
	// Registerer gets the metrics. Nil means none.
	Registerer prometheus.Registerer
}

// Documents makes and keeps documents. Many goroutines may use it.
type Documents struct {
	cfg    Config
	deps   Deps
	blobs  blobs
	packed *prometheus.CounterVec
}

// New returns a Documents that packs nothing until its units run; Get works from the start.
func New(cfg Config, d Deps) (*Documents, error) {
	docs := &Documents{cfg: cfg, deps: d, blobs: blobs{cfg.Dir}, packed: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "orderledger_ingest_packings_total",
		Help: "Documents rendered by the packing worker, by the ledger's outcome: accepted, stale or rejected.",
	}, []string{"outcome"})}
	if d.Registerer != nil {
		if err := d.Registerer.Register(docs.packed); err != nil {
			return nil, fmt.Errorf("documents: register metrics: %w", err)
		}
	}
	return docs, nil
}

// Units returns the worker.
func (d *Documents) Units() []service.Unit {
	w := &worker{docs: d}
	return []service.Unit{{Name: "packing", Run: w.run}}
}

// Get returns the documents of packed shipments of a seller as one PDF, a page each, in their order.
func (d *Documents) Get(sellerID string, shipments []*ledgerv1.Shipment) ([]byte, error) {
	pages := make([]page, len(shipments))
	for i, s := range shipments {
		var err error
		if pages[i], err = d.page(sellerID, s); err != nil {
			return nil, err
		}
	}
	return renderPDF(pages...)
}

// page returns the page of a packed shipment. If the folder does not have it, because another machine packed the
// shipment, page builds it again from the state.
func (d *Documents) page(sellerID string, s *ledgerv1.Shipment) (page, error) {
	p := s.GetPacking()
	doc, found, err := d.blobs.read(p.GetDocumentsRef())
	if err != nil || found {
		return doc, err
	}
	who := d.deps.Sellers.Current().Find(sellerID)
	return newPage(s, p, s.GetDocumentRevision(), who, d.cfg.Currency, p.GetInvoiceDate().GetAt().AsTime()), nil
}
