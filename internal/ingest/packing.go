package ingest

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// packer renders the documents that own sellers ask for: it reads the ledger, and tells it that they are ready. It is a
// Watermill router on orders.events.v1, so each lane is worked on by itself: one whose owner is away holds up no other.
//
// At least once: a position is committed when everything below it has been told. A repeat renders the same bytes and is
// told under the same key; a result that a newer revision overtook is stale and changes nothing.
type packer struct {
	g    *Ingest
	fail context.CancelCauseFunc // Ends Run; set by it.
}

// gather is how long events are gathered for the workers beside the lanes: nobody waits for one of them, and to be told
// of each event by itself would cost the broker as much as writing it.
const gather = 100 * time.Millisecond

// retryPacking is how long a result that the ledger did not take waits for the next try.
const retryPacking = 250 * time.Millisecond

// Run packs until ctx ends. It returns an error when documents can't be stored.
func (p *packer) Run(ctx context.Context) error {
	log := p.g.log
	subscriber, err := pubsub.NewSubscriber(pubsub.Config{
		Client: p.g.options, UUIDHeader: events.HeaderID, Log: log, Group: kafka.GroupPacking(p.g.cfg.Cluster), Filter: packingInterest.wants(),
		// What is in hand is told again by whoever packs then.
		DrainTimeout: 2 * time.Second,
		FetchWait:    gather,
		InstanceID:   p.g.cfg.InstanceID, SessionTimeout: p.g.cfg.SessionTimeout,
	})
	if err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	defer subscriber.Close() //nolint:errcheck // It has closed with the router already, and reports nothing.
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NewSlogLoggerWithLevelMapping(log, quiet()))
	if err != nil {
		return fmt.Errorf("packing: router: %w", err)
	}
	packing, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	p.fail = fail
	router.AddConsumerHandler("packing", events.TopicEvents, subscriber, p.handle)
	if err := router.Run(packing); err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case packing.Err() != nil:
		return fmt.Errorf("packing: %w", context.Cause(packing))
	}
	return errors.New("packing: the subscription ended by itself")
}

// handle packs what one event asks for, if it asks.
func (p *packer) handle(in *message.Message) error {
	ctx, rec := in.Context(), pubsub.Record(in.Context())
	env, event, err := events.Decode(headersOf(rec), rec.Value)
	if err != nil {
		// The projector sets it aside for people; here it asks for nothing that could be understood.
		p.g.log.WarnContext(ctx, "undecodable event skipped", slog.Int("partition", int(rec.Partition)), slog.Int64("offset", rec.Offset), slog.Any("err", err))
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
		p.fail(err) // Of the disk: nobody's documents can be stored.
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

// tell hands the result to the ledger until it is decided; it returns an error when ctx ends first.
func (p *packer) tell(ctx context.Context, env events.Envelope, s *ledgerv1.Shipment, revision uint32, packing *ledgerv1.Packing) error {
	command := marketplace.PackingCommand(s.GetShipmentId(), revision, packing)
	body, err := marketplace.EncodePacking(revision, packing)
	if err != nil {
		return err
	}
	for {
		try, cancel := context.WithTimeout(ctx, p.g.cfg.CommandTimeout)
		got := p.g.router.submit(try, source{marketplace.RoutePacking, s.GetShipmentId(), body}, []*errand{{command: journal.Command{
			ShipmentID: s.GetShipmentId(), Input: command.Input, Key: fmt.Sprintf("packing/%d", revision), Hash: command.Hash,
			SellerID: s.GetSellerId(), AuthType: "system", AuthID: "packing",
			CorrelationID: env.CorrelationID, CausationID: env.ID, TraceParent: env.TraceParent,
		}}})[0]
		cancel()
		if got.Err == nil {
			outcome := got.Receipt.Outcome.String()
			p.g.metrics.packed.WithLabelValues(outcome).Inc()
			p.g.log.InfoContext(ctx, "documents rendered", slog.String("shipment_id", s.GetShipmentId()), slog.Uint64("revision", uint64(revision)),
				slog.String("outcome", outcome), slog.String("reason", string(got.Receipt.Reason)), slog.Bool("repeated", got.Receipt.Repeated))
			return nil
		}
		p.g.log.WarnContext(ctx, "packing not told", slog.String("shipment_id", s.GetShipmentId()), slog.Any("err", got.Err))
		select {
		case <-time.After(retryPacking):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pack decides courier, invoice and lines. All of it follows from the shipment, the revision and the time of the
// request, so that a repeat decides the same.
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
	live := ordered - min(ordered, events.CancelledUnits(item))
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

// withinState tells that the goods stay in the seller's state, as far as the addresses tell: then the tax is split.
// Without addresses they are taken to leave it.
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
