package ingest

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// packer renders the documents that own sellers ask for: it reads the ledger, and tells it that they are ready.
//
// At least once: a position is committed when everything below it has been told. A repeat renders the same bytes and is
// told under the same key; a result that a newer revision overtook is stale and changes nothing.
type packer struct {
	g    *Ingest
	opts []kgo.Opt
	log  *slog.Logger
}

// retryPacking is how long a result that the ledger did not take waits for the next try.
const retryPacking = 250 * time.Millisecond

// Run packs until ctx ends.
func (p *packer) Run(ctx context.Context) error {
	client, err := kgo.NewClient(append(append(append([]kgo.Opt{}, p.opts...), p.g.member(kafka.GroupPacking(p.g.cfg.Cluster))...),
		kgo.ConsumeTopics(events.TopicEvents),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
	)...)
	if err != nil {
		return fmt.Errorf("packing client: %w", err)
	}
	defer client.CloseAllowingRebalance()
	for {
		fetches := client.PollRecords(ctx, 500)
		if ctx.Err() != nil {
			return nil
		}
		fetches.EachError(func(topic string, partition int32, err error) {
			p.log.WarnContext(ctx, "fetch failed", slog.String("topic", topic), slog.Int("partition", int(partition)), slog.Any("err", err))
		})
		for iter := fetches.RecordIter(); !iter.Done(); {
			if err := p.record(ctx, iter.Next()); err != nil {
				return fmt.Errorf("packing: %w", err)
			}
			if ctx.Err() != nil {
				return nil
			}
		}
		if err := client.CommitUncommittedOffsets(ctx); err != nil && ctx.Err() == nil {
			// Not fatal: what was told is known by its key.
			p.log.WarnContext(ctx, "commit failed", slog.String("topic", events.TopicEvents), slog.Any("err", err))
		}
		client.AllowRebalance()
	}
}

// record packs what one event asks for, if it asks.
func (p *packer) record(ctx context.Context, rec *kgo.Record) error {
	env, event, err := events.Decode(headersOf(rec), rec.Value)
	if err != nil {
		// The projector sets it aside for people; here it asks for nothing that could be understood.
		p.log.WarnContext(ctx, "undecodable event skipped", slog.Int("partition", int(rec.Partition)), slog.Int64("offset", rec.Offset), slog.Any("err", err))
		return nil
	}
	revision := packingAsked(event)
	s := event.GetAfter()
	if revision == 0 || !p.g.sellers.Policy(s.GetSellerId(), s.GetLocationId()).Own {
		return nil
	}
	packing := p.g.pack(s, revision, env.RecordedAt)
	who := p.g.sellers.find(s.GetSellerId())
	if err := p.g.documents.put(packing.GetDocumentsRef(), newDocument(s, packing, revision, who, p.g.cfg.Marketplace.Currency, env.RecordedAt)); err != nil {
		return err
	}
	return p.tell(ctx, env, s, revision, packing)
}

// packingAsked is the revision of documents that an event asks for; 0 for none.
func packingAsked(e *ledgerv1.Event) uint32 {
	switch body := e.GetBody().(type) {
	case *ledgerv1.Event_LabelsRequested:
		return body.LabelsRequested.GetRevision()
	case *ledgerv1.Event_FormAcknowledged:
		if body.FormAcknowledged.GetComplete() {
			return body.FormAcknowledged.GetRevision()
		}
	case *ledgerv1.Event_ItemsCancelled:
		return body.ItemsCancelled.GetRevision()
	}
	return 0
}

// tell hands the result to the ledger until it is decided.
func (p *packer) tell(ctx context.Context, env events.Envelope, s *ledgerv1.Shipment, revision uint32, packing *ledgerv1.Packing) error {
	command := journal.Command{
		ShipmentID: s.GetShipmentId(), Input: shipment.CompletePacking{Revision: revision, Packing: packing},
		Key: fmt.Sprintf("packing/%d", revision), Hash: digest(fmt.Sprintf("packing/%s/%d", s.GetShipmentId(), revision)),
		SellerID: s.GetSellerId(), AuthType: "system", AuthID: "packing",
		CorrelationID: env.CorrelationID, CausationID: env.ID, TraceParent: env.TraceParent,
	}
	for {
		try, cancel := context.WithTimeout(ctx, p.g.cfg.CommandTimeout)
		receipt, err := p.g.journal.Submit(try, command)
		cancel()
		if err == nil {
			outcome := receipt.Outcome.String()
			p.g.metrics.packed.WithLabelValues(outcome).Inc()
			p.log.InfoContext(ctx, "documents rendered", slog.String("shipment_id", s.GetShipmentId()), slog.Uint64("revision", uint64(revision)),
				slog.String("outcome", outcome), slog.String("reason", string(receipt.Reason)), slog.Bool("repeated", receipt.Repeated))
			return nil
		}
		if errors.Is(err, journal.ErrInvalid) {
			return err
		}
		p.log.WarnContext(ctx, "packing not told", slog.String("shipment_id", s.GetShipmentId()), slog.Any("err", err))
		select {
		case <-time.After(retryPacking):
		case <-ctx.Done():
			return nil
		}
	}
}

// pack decides courier, invoice and lines. All of it follows from the shipment, the revision and the time of the request,
// so that a repeat decides the same.
func (g *Ingest) pack(s *ledgerv1.Shipment, revision uint32, at time.Time) *ledgerv1.Packing {
	sum := digest(s.GetShipmentId())
	code := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:10])
	tomorrow := at.In(marketplace.IST).AddDate(0, 0, 1)
	pickup := time.Date(tomorrow.Year(), tomorrow.Month(), tomorrow.Day(), 10, 0, 0, 0, marketplace.IST)
	out := &ledgerv1.Packing{
		Courier: &ledgerv1.Courier{
			VendorName: "Ledger Logistics", VendorCode: "LEDGER", VendorGroup: "Ledger Logistics", TrackingId: "LGR" + code[:12],
			PickupFrom: timestamppb.New(pickup), PickupTo: timestamppb.New(pickup.Add(4 * time.Hour)),
		},
		// A sequence without holes would need one writer per seller; the id of the shipment needs none and is as unique.
		InvoiceNumber: "INV-" + code,
		InvoiceDate:   &ledgerv1.Moment{At: timestamppb.New(at)},
		DocumentsRef:  documentRef(s.GetShipmentId(), revision),
	}
	request := s.GetPackRequest()
	for _, invoice := range request.GetInvoices() {
		if n := invoice.GetInvoiceNumber(); n != "" && n != "0" {
			out.InvoiceNumber = n
		}
		if d := invoice.GetInvoiceDate(); d != nil {
			out.InvoiceDate = d
		}
	}
	rates, serials := map[string]float64{}, map[string][]*ledgerv1.UnitSerials{}
	for _, item := range request.GetTaxItems() {
		rates[item.GetOrderItemId()] = item.GetTaxRate()
	}
	for _, item := range request.GetSerialNumbers() {
		serials[item.GetOrderItemId()] = item.GetUnits()
	}
	within := g.withinState(s)
	for _, item := range s.GetItems() {
		if line := invoiceLine(item, rates[item.GetOrderItemId()], within); line != nil {
			line.SerialNumbers = serials[item.GetOrderItemId()]
			out.InvoiceLines = append(out.InvoiceLines, line)
		}
	}
	return out
}

// invoiceLine is the invoice of an item's live units; nil where there are none.
func invoiceLine(item *ledgerv1.Item, rate float64, within bool) *ledgerv1.InvoiceLine {
	ordered := item.GetOrdered()
	live := ordered - min(ordered, item.GetCancelledSeller()+item.GetCancelledCustomer()+item.GetCancelledMarketplace()+item.GetCancelledUnknown())
	if live == 0 {
		return nil
	}
	price := item.GetDetails().GetPrice()
	total := price.GetSellingMinor() + price.GetShippingMinor()
	if price != nil && price.TotalMinor != nil {
		total = price.GetTotalMinor()
	}
	line := &ledgerv1.InvoiceLine{
		OrderItemId: item.GetOrderItemId(), Quantity: live, TaxRate: rate,
		// Prices are told for the line; what is left of it is invoiced, rounded down to the minor unit.
		AmountMinor: total * int64(live) / int64(ordered),
	}
	if live == ordered {
		line.AmountMinor = total
	}
	if within {
		line.CgstRate, line.SgstRate = rate/2, rate/2
	} else {
		line.IgstRate = rate
	}
	return line
}

// withinState tells that the goods stay in the seller's state, as far as the addresses tell: then the tax is split. Without
// addresses they are taken to leave it.
func (g *Ingest) withinState(s *ledgerv1.Shipment) bool {
	who := g.sellers.find(s.GetSellerId())
	to := s.GetDetails().GetDeliveryAddress().GetStateCode()
	if who == nil || to == "" {
		return false
	}
	var from struct {
		StateCode string `json:"stateCode"`
	}
	if json.Unmarshal(who.locations[s.GetLocationId()].Address, &from) != nil {
		return false
	}
	return from.StateCode == to
}
