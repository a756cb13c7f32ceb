package documents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/disk"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Submitter brings a call to the owners of its lanes. A peer.Router is one.
type Submitter interface {
	// Submit returns a result for each submission of the call; it ends with ctx at the latest.
	Submit(ctx context.Context, call peer.Call) []peer.Result
}

// worker packs the shipments whose labels were requested: a Watermill router on orders.events.v1. It handles each lane
// on its own, so a lane whose owner is away holds up no other.
type worker struct {
	docs *Documents
	fail context.CancelCauseFunc // Ends run; set by it.
}

// fetchWait is how long the broker may collect events before it answers. Packing takes longer than that anyway, and
// answering for each event would cost the broker as much as writing it.
const fetchWait = 100 * time.Millisecond

// retryPause is the wait before a result is submitted again.
const retryPause = 250 * time.Millisecond

const (
	// fullPause is the wait before a document is stored again on a disk that was full.
	fullPause = time.Second
	// fullLogEvery is the interval of the line about it.
	fullLogEvery = time.Minute
)

// packingEvents lists the event types that may request documents; see requestedRevision.
func packingEvents() pubsub.EventFilter {
	return pubsub.EventFilter{
		events.TypeLabelsRequested: nil, events.TypeFormAcknowledged: nil,
		events.TypeItemsCancelled: {24, 3}, // Event.items_cancelled.revision
	}
}

// run packs until ctx ends. It returns an error when documents cannot be stored for another reason than a full disk.
func (w *worker) run(ctx context.Context) error {
	cfg, deps := w.docs.cfg, w.docs.deps
	subscriber, err := pubsub.NewSubscriber(pubsub.Config{
		Client: deps.Options, UUIDHeader: events.HeaderID, Log: deps.Log, Group: kafka.GroupPacking(cfg.Cluster),
		Filter: packingEvents().Filter(), FetchWait: fetchWait,
		// A result that is not decided by then is submitted again by the next member.
		DrainTimeout: 2 * time.Second,
		InstanceID:   cfg.InstanceID, SessionTimeout: cfg.SessionTimeout,
	})
	if err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	defer subscriber.Close() //nolint:errcheck // It has closed with the router already, and reports nothing.
	router, err := message.NewRouter(message.RouterConfig{}, pubsub.RouterLogger(deps.Log))
	if err != nil {
		return fmt.Errorf("packing: router: %w", err)
	}
	packing, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	w.fail = fail
	router.AddConsumerHandler("packing", events.TopicEvents, subscriber, w.handle)
	if err := router.Run(packing); err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case packing.Err() != nil:
		return fmt.Errorf("packing: %w", context.Cause(packing))
	}
	return errors.New("packing: the subscription ended unexpectedly")
}

// handle makes the documents that an event requests, if it requests any.
func (w *worker) handle(in *message.Message) error {
	ctx, rec, deps := in.Context(), pubsub.Record(in.Context()), w.docs.deps
	env, event, err := events.Decode(kafka.EventRecord(rec))
	if err != nil {
		// The projector dead-letters it, and operators see it there. This worker can't know whether it requests documents.
		deps.Log.WarnContext(ctx, "undecodable event skipped", slog.Int("partition", int(rec.Partition)),
			slog.Int64("offset", rec.Offset), slog.Any("err", err))
		return nil
	}
	revision := requestedRevision(event)
	s, known := event.GetAfter(), deps.Sellers.Current()
	if revision == 0 || !known.Policy(s.GetSellerId(), s.GetLocationId()).Own {
		return nil
	}
	who := known.Find(s.GetSellerId())
	packing := pack(s, revision, who, env.DecidedAt)
	doc := newPage(s, packing, revision, who, w.docs.cfg.Currency, env.DecidedAt)
	if err := w.store(ctx, packing.GetDocumentsRef(), doc); err != nil {
		return err
	}
	return w.submit(ctx, env, s, revision, packing)
}

// store stores a document. It waits while the disk is full, because a process that ended would meet the same disk
// again; any other error ends the worker.
func (w *worker) store(ctx context.Context, ref string, doc page) error {
	var logged time.Time
	for {
		err := w.docs.blobs.write(ref, doc)
		if err == nil {
			return nil
		}
		if !disk.Full(err) {
			w.fail(err) // The disk is gone: no document can be stored.
			return err
		}
		if time.Since(logged) >= fullLogEvery {
			logged = time.Now()
			w.docs.deps.Log.WarnContext(ctx, "documents not stored, disk full", slog.String("folder", w.docs.cfg.Dir),
				slog.Any("err", err))
		}
		select {
		case <-time.After(fullPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// requestedRevision returns the revision of documents that an event requests; 0 for none.
func requestedRevision(e *ledgerv1.Event) uint32 {
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

// submit submits the result until it is decided. It returns an error when ctx ends first.
func (w *worker) submit(
	ctx context.Context, env events.Envelope, s *ledgerv1.Shipment, revision uint32, packing *ledgerv1.Packing,
) error {
	log := w.docs.deps.Log
	body, err := marketplace.EncodePacking(revision, packing)
	if err != nil {
		return err
	}
	command := marketplace.PackingCommand(s.GetShipmentId(), revision, packing)
	call := peer.Call{
		Route: marketplace.RoutePacking, PathID: s.GetShipmentId(), Body: body,
		SellerID: s.GetSellerId(), AuthType: "system", AuthID: "packing",
		CorrelationID: env.CorrelationID, CausationID: env.ID, TraceParent: env.TraceParent,
		Submissions: []peer.Submission{{
			ShipmentID: s.GetShipmentId(), Input: command.Input, Hash: command.Hash,
			Key: fmt.Sprintf("packing/%d", revision),
		}},
	}
	for {
		try, cancel := context.WithTimeout(ctx, w.docs.cfg.SubmitTimeout)
		got := w.docs.deps.Submitter.Submit(try, call)[0]
		cancel()
		if got.Err == nil {
			outcome := got.Receipt.Outcome.String()
			w.docs.packed.WithLabelValues(outcome).Inc()
			log.InfoContext(ctx, "documents rendered", slog.String("shipment_id", s.GetShipmentId()),
				slog.Uint64("revision", uint64(revision)), slog.String("outcome", outcome),
				slog.String("reason", string(got.Receipt.Reason)), slog.Bool("repeated", got.Receipt.Repeated))
			return nil
		}
		log.WarnContext(ctx, "packing result not submitted", slog.String("shipment_id", s.GetShipmentId()),
			slog.Any("err", got.Err))
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
