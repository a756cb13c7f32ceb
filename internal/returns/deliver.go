package returns

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
)

// howNever marks the last delivery of a notification, when it has waited too long.
const howNever = "never"

// deliver delivers a notification as far as its shipments are known, and adds them to p.done. finished says that no
// shipment of it remains.
func (r *resolver) deliver(
	ctx context.Context, key subjectKey, p *pendingNotification, how string,
) (finished bool, err error) {
	n, err := marketplace.ParseNotification(p.rec.Body, r.cfg.Marketplace)
	if err != nil {
		return true, r.quarantine(ctx, key.id, p.rec, err)
	}
	if p.rec.Hash != (events.Hash{}) {
		n.Hash = p.rec.Hash
	}
	linked, err := r.store.shipments(key)
	if err != nil {
		return false, err
	}
	linked, ambiguous := ofSender(linked, &p.rec)
	switch {
	case len(linked) == 0 && how != howNever:
		return false, nil
	case len(linked) == 0:
		r.resolved.WithLabelValues(how).Inc()
		return true, r.append(ctx, addressed(&n, p.rec, n.ReturnID, p.rec.Body))
	case ambiguous || key.kind == aliasItem && len(linked) > 1:
		// The sender has its 200 and will not send it again: a decision shows it to operators.
		r.resolved.WithLabelValues("ambiguous").Inc()
		rec := addressed(&n, p.rec, n.ReturnID, p.rec.Body)
		rec.Ambiguous = true
		return true, r.append(ctx, rec)
	case key.kind == aliasItem:
		return true, r.assign(ctx, key, &n, p.rec, linked[0], how)
	}
	return r.share(ctx, &n, p, linked, how)
}

// ofSender keeps the shipments of sellers that the sender speaks for. A sender that names no seller means the only one
// that has the id, or all sellers of one return; ambiguous says that several have the id and their shipments do not
// belong to one return.
func ofSender(linked []linkedShipment, rec *journal.InboxRecord) (kept []linkedShipment, ambiguous bool) {
	for _, s := range linked {
		switch {
		case rec.SellerID != "" && s.sellerID != rec.SellerID:
		case rec.SellerID == "" && len(rec.Sellers) > 0 && !slices.Contains(rec.Sellers, s.sellerID):
		default:
			kept = append(kept, s)
		}
	}
	return kept, !together(kept)
}

// together reports whether shipments are of one seller or belong to one return. Shipments of two sellers do only if
// each names the other: a seller who names the shipment of another on a return of the same id must not lead that
// seller's notifications astray.
func together(linked []linkedShipment) bool {
	if len(linked) == 0 {
		return true
	}
	rest := slices.Clone(linked[1:])
	reached := []linkedShipment{linked[0]}
	for i := 0; i < len(reached); i++ {
		from := reached[i]
		rest = slices.DeleteFunc(rest, func(s linkedShipment) bool {
			near := s.sellerID == from.sellerID ||
				slices.Contains(s.siblings, from.id) && slices.Contains(from.siblings, s.id)
			if near {
				reached = append(reached, s)
			}
			return near
		})
	}
	return len(rest) == 0
}

// assign names the shipment of an order item in the lines of a new return. The next line that names none leads to the
// partition of its own order item; after the last, the return goes to the inboxes of its shipments.
func (r *resolver) assign(
	ctx context.Context, key subjectKey, n *marketplace.Notification, rec journal.InboxRecord, s linkedShipment,
	how string,
) error {
	body, err := marketplace.Assign(rec.Body, r.cfg.Marketplace, key.id, s.id)
	if err != nil {
		return r.quarantine(ctx, key.id, rec, err)
	}
	next, err := marketplace.ParseNotification(body, r.cfg.Marketplace)
	if err != nil {
		return r.quarantine(ctx, key.id, rec, err)
	}
	// The key stays that of the notification as it was sent, so that its repeat is a duplicate.
	next.Hash = n.Hash
	// The seller stays that of the sender, too: the other lines may be of other sellers' shipments.
	rec.Body, rec.Hash = body, n.Hash
	if len(next.ShipmentIDs()) == 0 {
		return r.forward(ctx, &next, rec)
	}
	parts := next.Parts()
	if err := marketplace.Split(body, r.cfg.Marketplace, parts); err != nil {
		return r.quarantine(ctx, key.id, rec, err)
	}
	r.resolved.WithLabelValues(how).Inc()
	return r.append(ctx, partRecords(&next, rec, []linkedShipment{s}, parts)...)
}

// share delivers a notification of a return to those of its shipments that have recorded the return. The others get
// their part when they have: if it overtook the return, they would quarantine it.
func (r *resolver) share(
	ctx context.Context, n *marketplace.Notification, p *pendingNotification, linked []linkedShipment, how string,
) (finished bool, err error) {
	d := divide(n, linked, p.done)
	parts := d.parts
	finished = d.complete
	if how == howNever && !finished {
		parts, finished = append(parts, d.rest...), true
	}
	if len(parts) > 0 {
		if err := marketplace.Split(p.rec.Body, r.cfg.Marketplace, parts); err != nil {
			return true, r.quarantine(ctx, n.ReturnID, p.rec, err)
		}
		if err := r.append(ctx, partRecords(n, p.rec, linked, parts)...); err != nil {
			return false, err
		}
	}
	p.done = append(p.done, d.reached...)
	if finished {
		r.resolved.WithLabelValues(how).Inc()
	}
	return finished, nil
}

// addressed returns the inbox record of a notification for one shipment.
func addressed(
	n *marketplace.Notification, rec journal.InboxRecord, shipmentID string, body []byte,
) journal.InboxRecord {
	one := n.For(shipmentID, rec.SellerID)
	rec.ShipmentID, rec.Key, rec.Hash, rec.Body = one.ShipmentID, one.Key(), one.Hash, body
	return rec
}

// partRecords returns the inbox records of parts. If the sender named no seller, each has that of its own shipment. A
// shipment that is not linked is known by name only: its record names no seller, and its lane judges by the shipment's.
func partRecords(
	n *marketplace.Notification, rec journal.InboxRecord, linked []linkedShipment, parts []marketplace.Part,
) []journal.InboxRecord {
	out := make([]journal.InboxRecord, len(parts))
	for i, part := range parts {
		one := rec
		at := slices.IndexFunc(linked, func(s linkedShipment) bool { return s.id == part.ShipmentID })
		if one.SellerID == "" && at >= 0 {
			one.SellerID = linked[at].sellerID
		}
		out[i] = addressed(n, one, part.ShipmentID, part.Body)
	}
	return out
}

// quarantine hands a notification that cannot be read to a lane, which quarantines it, as it does with every record of
// the inbox that it cannot read. The sender got a 200 for it, so another version of this program accepted it.
func (r *resolver) quarantine(ctx context.Context, id string, rec journal.InboxRecord, why error) error {
	r.log.ErrorContext(ctx, "unreadable notification quarantined", slog.String("id", id), slog.Any("err", why))
	r.resolved.WithLabelValues("unreadable").Inc()
	rec.Hash = sha256.Sum256(rec.Body)
	rec.ShipmentID, rec.Key = id, "unreadable/"+hex.EncodeToString(rec.Hash[:])
	if rec.ShipmentID == "" {
		rec.ShipmentID = rec.Key // Every decision belongs to the stream of some shipment.
	}
	return r.append(ctx, rec)
}

// forward stores a notification for the partition of its next subject, and retries like append.
func (r *resolver) forward(ctx context.Context, n *marketplace.Notification, rec journal.InboxRecord) error {
	for {
		try, cancel := context.WithTimeout(ctx, r.cfg.AppendTimeout)
		err := r.producer.ProduceSync(try, unresolvedRecord(subjectOf(n), r.cfg.Lanes, rec)).FirstErr()
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		r.log.WarnContext(ctx, "notification not forwarded", slog.String("return_id", n.ReturnID), slog.Any("err", err))
	}
}

// append appends to the inbox, and retries until ctx ends: the next notification of the return must not overtake it.
func (r *resolver) append(ctx context.Context, records ...journal.InboxRecord) error {
	for {
		try, cancel := context.WithTimeout(ctx, r.cfg.AppendTimeout)
		_, err := r.inbox.AppendAll(try, records)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		r.log.WarnContext(ctx, "resolved notification not appended", slog.String("shipment_id", records[0].ShipmentID),
			slog.Any("err", err))
	}
}
