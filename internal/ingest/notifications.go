package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/returns"
	"github.com/orderledger/orderledger/internal/sellers"
)

// authMarketplace is the auth type of inputs that come from notifications.
const authMarketplace = "marketplace"

// notifications accepts the marketplace's notifications.
type notifications struct {
	sellers   *sellers.Directory
	inbox     *journal.Inbox
	returns   *returns.Returns
	settings  marketplace.Settings
	maxBody   int64
	timeout   time.Duration
	window    time.Duration // How far the date of a signature may be from now.
	publicURL string
	now       func() time.Time
	counted   *prometheus.CounterVec
}

// accepted is the answer to a notification: its position in orders.inbox.v1, where it waits to be decided.
type accepted struct {
	Key         string `json:"key"`
	Lane        int32  `json:"lane"`
	InboxOffset int64  `json:"inboxOffset"`
	// Unresolved says that it names only a return. Then the position is one of orders.unresolved.v1.
	Unresolved bool `json:"unresolved,omitempty"`
	// Also holds the positions for the other shipments of a return.
	Also []accepted `json:"also,omitempty"`
}

// handle answers 200 once the notification is durable.
func (n *notifications) handle(ctx context.Context, c *httpx.Call) error {
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	answer, err := n.accept(ctx, c)
	if err != nil {
		n.counted.WithLabelValues("refused").Inc()
		return err
	}
	return c.Respond(answer)
}

func (n *notifications) accept(ctx context.Context, c *httpx.Call) (accepted, error) {
	credential, err := n.credential(c.Request)
	if err != nil {
		return accepted{}, err
	}
	body, err := c.Body(n.maxBody)
	if err != nil {
		return accepted{}, err
	}
	parsed, err := marketplace.ParseNotification(body, n.settings)
	if err != nil {
		return accepted{}, err
	}
	from, err := n.sender(credential, c.Request.PathValue("seller"), &parsed)
	if err != nil {
		return accepted{}, err
	}
	sellerID := from.seller
	c.Note(slog.String("event_type", parsed.EventType))
	rec := journal.InboxRecord{
		SellerID: sellerID, Sellers: from.sellers,
		CorrelationID: c.CorrelationID, AuthType: authMarketplace, AuthID: from.id,
		TraceParent: c.TraceParent, ReceivedAt: n.now(), Body: body,
	}
	shipments := parsed.ShipmentIDs()
	if len(shipments) == 0 {
		return n.toReturns(ctx, c, parsed, rec)
	}
	answers := make([]accepted, 0, len(shipments))
	for _, id := range shipments {
		answer, err := n.toInbox(ctx, parsed.For(id, sellerID), rec)
		if err != nil {
			return accepted{}, err
		}
		answers = append(answers, answer)
	}
	answer := answers[0]
	answer.Also = answers[1:]
	c.Note(slog.String("shipment_id", shipments[0]), slog.Int("lane", int(answer.Lane)),
		slog.Int64("offset", answer.InboxOffset))
	if len(shipments) > 1 {
		// After the inbox, so that no later notification can reach a shipment before the return itself. If the process
		// dies between the two, the sender gets no answer, and its repeat writes the aliases.
		if err := n.returns.Link(ctx, parsed.ReturnID, sellerID, shipments); err != nil {
			return accepted{}, notStored(err)
		}
	}
	return answer, nil
}

// toInbox appends a notification, as it concerns one shipment, to the inbox of its lane.
func (n *notifications) toInbox(
	ctx context.Context, parsed marketplace.Notification, rec journal.InboxRecord,
) (accepted, error) {
	rec.ShipmentID, rec.Key, rec.Hash = parsed.ShipmentID, parsed.Key(), parsed.Hash
	lane, offset, err := n.inbox.Append(ctx, rec)
	if err != nil {
		return accepted{}, notStored(err)
	}
	n.counted.WithLabelValues("inbox").Inc()
	return accepted{Key: rec.Key, Lane: lane, InboxOffset: offset}, nil
}

// toReturns stores a notification that names only a return, for the resolver.
func (n *notifications) toReturns(
	ctx context.Context, c *httpx.Call, parsed marketplace.Notification, rec journal.InboxRecord,
) (accepted, error) {
	partition, offset, err := n.returns.Append(ctx, parsed.ReturnID, rec)
	if err != nil {
		return accepted{}, notStored(err)
	}
	n.counted.WithLabelValues("unresolved").Inc()
	c.Note(slog.String("return_id", parsed.ReturnID), slog.Int("partition", int(partition)), slog.Int64("offset", offset))
	return accepted{Key: parsed.Key(), Lane: partition, InboxOffset: offset, Unresolved: true}, nil
}

func notStored(err error) *httpx.Problem {
	return httpx.Unavailable.New("the notification could not be stored").Because(err).After(retrySoon)
}
