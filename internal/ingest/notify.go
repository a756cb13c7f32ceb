package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
)

// authMarketplace is who causes what notifications tell.
const authMarketplace = "marketplace"

// accepted is the answer to a notification: where it waits to be decided.
type accepted struct {
	Key string `json:"key"`
	// Lane and InboxOffset are its position in orders.inbox.v1.
	Lane        int32 `json:"lane"`
	InboxOffset int64 `json:"inboxOffset"`
	// Unresolved says that it names only a return: the position is one of orders.unresolved.v1 then.
	Unresolved bool `json:"unresolved,omitempty"`
	// Also are the positions for the other shipments of a return.
	Also []accepted `json:"also,omitempty"`
}

// notify takes a notification: 200 once it is durable.
func (g *Ingest) notify(ctx context.Context, c *call) error {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.NotificationTimeout)
	defer cancel()
	answer, err := g.accept(ctx, c)
	if err != nil {
		g.metrics.notifications.WithLabelValues("refused").Inc()
		return err
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("answer notification: %w", err)
	}
	c.json(http.StatusOK, body)
	return nil
}

func (g *Ingest) accept(ctx context.Context, c *call) (accepted, error) {
	body, err := c.body(g.cfg.MaxBodyBytes)
	if err != nil {
		return accepted{}, err
	}
	n, err := marketplace.ParseNotification(body, g.cfg.Marketplace)
	if err != nil {
		return accepted{}, err
	}
	sellerID, refused := g.authenticate(c.r, c.r.PathValue("seller"), n.SellerID)
	if refused != nil {
		return accepted{}, refused
	}
	c.note(slog.String("event_type", n.EventType))
	rec := journal.InboxRecord{
		SellerID: sellerID, CorrelationID: c.correlationID, AuthType: authMarketplace, AuthID: n.Source,
		TraceParent: c.traceParent, ReceivedAt: g.now(), Body: body,
	}
	shipments := n.ShipmentIDs()
	if len(shipments) == 0 {
		return g.toUnresolved(ctx, c, n, rec)
	}
	answers := make([]accepted, 0, len(shipments))
	for _, id := range shipments {
		answer, err := g.toInbox(ctx, n.For(id, sellerID), rec)
		if err != nil {
			return accepted{}, err
		}
		answers = append(answers, answer)
	}
	c.note(slog.String("shipment_id", shipments[0]), slog.Int("lane", int(answers[0].Lane)), slog.Int64("offset", answers[0].InboxOffset))
	if len(shipments) > 1 {
		// Whoever resolves the return's next notification must know all its shipments. Written after the inbox, so that
		// nothing can be led to a shipment before the return itself; a crash between is mended by the repeat.
		if err := g.writeAliases(ctx, n.ReturnID, sellerID, shipments); err != nil {
			return accepted{}, err
		}
	}
	answer := answers[0]
	answer.Also = answers[1:]
	return answer, nil
}

// toInbox appends a notification, as it concerns one shipment, to its lane's inbox.
func (g *Ingest) toInbox(ctx context.Context, n marketplace.Notification, rec journal.InboxRecord) (accepted, error) {
	rec.ShipmentID, rec.Key, rec.Hash = n.ShipmentID, n.Key(), n.Hash
	lane, offset, err := g.inbox.Append(ctx, rec)
	if err != nil {
		return accepted{}, newProblem(problemUnavailable, "the notification could not be stored").because(err).retryAfter(retrySoon)
	}
	g.metrics.notifications.WithLabelValues("inbox").Inc()
	return accepted{Key: rec.Key, Lane: lane, InboxOffset: offset}, nil
}

// toUnresolved stores a notification that names only a return, for the resolver.
func (g *Ingest) toUnresolved(ctx context.Context, c *call, n marketplace.Notification, rec journal.InboxRecord) (accepted, error) {
	out := unresolvedRecord(n.ReturnID, g.cfg.Lanes, rec)
	if err := g.producer.ProduceSync(ctx, out).FirstErr(); err != nil {
		return accepted{}, newProblem(problemUnavailable, "the notification could not be stored").
			because(fmt.Errorf("produce to %s: %w", events.TopicUnresolved, err)).retryAfter(retrySoon)
	}
	g.metrics.notifications.WithLabelValues("unresolved").Inc()
	c.note(slog.String("return_id", n.ReturnID), slog.Int("partition", int(out.Partition)), slog.Int64("offset", out.Offset))
	return accepted{Key: n.Key(), Lane: out.Partition, InboxOffset: out.Offset, Unresolved: true}, nil
}

// The headers of an unresolved notification.
const (
	headerSeller   = "orderledger-sellerid"
	headerSplit    = "orderledger-shipmentid"
	headerAuthType = events.HeaderAuthType
	headerAuthID   = events.HeaderAuthID
)

// unresolvedRecord is rec on its way to the resolver, in the partition of its return.
func unresolvedRecord(returnID string, partitions int, rec journal.InboxRecord) *kgo.Record {
	out := &kgo.Record{
		Topic: events.TopicUnresolved, Partition: events.KeyPartition(returnID, partitions),
		Key: []byte(returnID), Value: rec.Body, Timestamp: rec.ReceivedAt,
	}
	for key, value := range map[string]string{
		headerSeller: rec.SellerID, events.HeaderCorrelationID: rec.CorrelationID, headerAuthType: rec.AuthType,
		headerAuthID: rec.AuthID, events.HeaderTraceParent: rec.TraceParent,
	} {
		if value != "" {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
		}
	}
	return out
}

// readUnresolved is the way back.
func readUnresolved(in *kgo.Record) (returnID string, rec journal.InboxRecord) {
	rec = journal.InboxRecord{ReceivedAt: in.Timestamp, Body: in.Value}
	for _, h := range in.Headers {
		switch v := string(h.Value); h.Key {
		case headerSeller:
			rec.SellerID = v
		case events.HeaderCorrelationID:
			rec.CorrelationID = v
		case headerAuthType:
			rec.AuthType = v
		case headerAuthID:
			rec.AuthID = v
		case events.HeaderTraceParent:
			rec.TraceParent = v
		}
	}
	return string(in.Key), rec
}
