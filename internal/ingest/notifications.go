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
	disks     *disks
	live      *sellers.Live
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

// received is one notification that is being accepted. Every step judges by the sellers in force when its request
// began, also if their file is reloaded meanwhile.
type received struct {
	*notifications

	sellers *sellers.Directory
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
	answer, err := received{n, n.live.Current()}.accept(ctx, c)
	if err != nil {
		n.counted.WithLabelValues("refused").Inc()
		noteRefusal(c, err)
		return err
	}
	return c.Respond(answer)
}

func (n received) accept(ctx context.Context, c *httpx.Call) (accepted, error) {
	credential, err := n.credential(c.Request)
	if err != nil {
		return accepted{}, err
	}
	// Whose it is, for the line of a notification that is refused: of one that is not JSON nothing else is known.
	if seller := c.Request.PathValue("seller"); seller != "" {
		c.Note(slog.String("seller_id", seller))
	}
	if credential != nil {
		c.Note(slog.String("auth_id", credential.Name))
	}
	history, err := n.history(c.Request, credential)
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
	c.Note(slog.String("event_type", parsed.EventType), slog.String("source", parsed.Source))
	from, err := n.sender(credential, c.Request.PathValue("seller"), &parsed)
	if err != nil {
		return accepted{}, err
	}
	if err := n.disks.admit(ctx); err != nil {
		return accepted{}, err
	}
	sellerID := from.seller
	rec := journal.InboxRecord{
		SellerID: sellerID, Sellers: from.sellers, History: history,
		CorrelationID: c.CorrelationID, AuthType: authMarketplace, AuthID: from.id,
		TraceParent: c.TraceParent, ReceivedAt: n.now(), Body: body,
	}
	if len(parsed.ShipmentIDs()) == 0 {
		return n.toReturns(ctx, c, parsed, rec)
	}
	answer, err := n.toInbox(ctx, parsed, rec)
	if err != nil {
		return accepted{}, err
	}
	c.Note(slog.String("shipment_id", parsed.ShipmentIDs()[0]), slog.Int("lane", int(answer.Lane)),
		slog.Int64("offset", answer.InboxOffset))
	return answer, nil
}

// toInbox appends a notification to the inboxes of its shipments: to each the part that concerns it.
func (n *notifications) toInbox(
	ctx context.Context, parsed marketplace.Notification, rec journal.InboxRecord,
) (accepted, error) {
	parts := parsed.Parts()
	if err := marketplace.Split(rec.Body, n.settings, parts); err != nil {
		return accepted{}, err
	}
	records := make([]journal.InboxRecord, len(parts))
	for i, part := range parts {
		one := parsed.For(part.ShipmentID, rec.SellerID)
		records[i] = rec
		records[i].ShipmentID, records[i].Key, records[i].Hash = one.ShipmentID, one.Key(), one.Hash
		records[i].Body = part.Body
	}
	at, err := n.inbox.AppendAll(ctx, records)
	if err != nil {
		return accepted{}, notStored(err)
	}
	n.counted.WithLabelValues("inbox").Add(float64(len(at)))
	answers := make([]accepted, len(at))
	for i, one := range at {
		answers[i] = accepted{Key: records[i].Key, Lane: one.Lane, InboxOffset: one.Offset}
	}
	answer := answers[0]
	answer.Also = answers[1:]
	return answer, nil
}

// toReturns stores a notification whose shipments must be found first, for the resolver.
func (n *notifications) toReturns(
	ctx context.Context, c *httpx.Call, parsed marketplace.Notification, rec journal.InboxRecord,
) (accepted, error) {
	partition, offset, err := n.returns.Append(ctx, parsed, rec)
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
