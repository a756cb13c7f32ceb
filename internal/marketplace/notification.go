package marketplace

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// The event types of notifications.
const (
	EventShipmentCreated       = "shipment_created"
	EventShipmentHold          = "shipment_hold"
	EventShipmentUnhold        = "shipment_unhold"
	EventShipmentPacked        = "shipment_packed"
	EventShipmentReady         = "shipment_ready_to_dispatch"
	EventShipmentPickedUp      = "shipment_pickup_complete"
	EventShipmentShipped       = "shipment_shipped"
	EventShipmentDelivered     = "shipment_delivered"
	EventDispatchDatesChanged  = "shipment_dispatch_dates_changed"
	EventShipmentCancelled     = "shipment_cancelled"
	EventShipmentFormFailed    = "shipment_form_failed"
	EventReturnCreated         = "return_created"
	EventReturnTrackingUpdate  = "return_item_tracking_id_update"
	EventReturnExpectedChanged = "return_expected_date_changed"
	EventReturnPickedUp        = "return_picked_up"
	EventReturnCompleted       = "return_completed"
	EventReturnCancelled       = "return_cancelled"
)

// The types of ours. They report what a read of the marketplace's API shows and no notification of the marketplace
// does: that a shipment is COMPLETED, that a return is approved or rejected, services and tech visits.
const (
	EventShipmentObserved = "shipment_observed"
	EventReturnObserved   = "return_observed"
)

// Notification is one well-formed notification.
type Notification struct {
	EventType string
	// ShipmentID and ReturnID are those of the envelope; one of them may be empty.
	ShipmentID, ReturnID string
	// LocationID, SellerID and Source are empty if the notification has none.
	LocationID, SellerID, Source string
	// At is the timestamp, in UTC.
	At time.Time
	// Hash is the SHA-256 of event type, id, timestamp and attributes in their canonical form.
	Hash [sha256.Size]byte

	subject string         // The id in the key: the shipment, or the return and the shipment that it resolved to.
	named   []string       // The shipments in the lines of a return, each once.
	lines   []ReturnLine   // Of a return, in order.
	body    shipment.Input // Without its Fact.
	nodes   []int32        // Of lines, until the document is released.
	spoilt  []int32        // Nodes of the lines of a return that were left out.
	leftOut []string       // What was left out, and why.
}

// ReturnLine is how a line of a return identifies itself. ShipmentID is empty if the line names no shipment.
type ReturnLine struct{ OrderItemID, ShipmentID string }

// ParseNotification reads a notification. An error is a *ProblemError: the body is malformed, so its ids can't be
// trusted either. An invalid body returns a notification whose input is shipment.Unintelligible.
func ParseNotification(body []byte, settings Settings) (Notification, error) {
	doc, problem := parseDocument(body)
	if problem != nil {
		return Notification{}, problem
	}
	defer doc.release()
	r := &reader{document: doc, cfg: settings.withDefaults()}
	n := readNotification(r)
	if r.problem != nil {
		return Notification{}, r.problem
	}
	return n, nil
}

// readNotification reads the envelope first, because a malformed one has no key, and then the attributes.
func readNotification(r *reader) Notification {
	var n Notification
	const root = 0
	r.lenient = true
	if r.nodes[root].kind != kindObject {
		r.malformed(root, ProblemType, "want an object, got "+r.nodes[root].kind.String())
		return n
	}
	n.EventType = r.need("eventType")
	timestamp := r.need("timestamp")
	if r.envelope("shipmentId") == "" && r.envelope("returnId") == "" {
		r.malformed(root, ProblemMissing, "neither shipmentId nor returnId")
	}
	attributes := r.object(root, "attributes")
	at, ok := ParseWhen(timestamp)
	if !ok {
		r.malformed(r.member(root, "timestamp"), ProblemTime, "want an ISO 8601 time such as 2017-03-28T18:03:01+05:30")
	}
	if r.problem != nil {
		return n
	}

	n.ShipmentID, n.ReturnID = r.id(root, "shipmentId"), r.id(root, "returnId")
	n.LocationID, n.SellerID = r.lineID(root, "locationId"), r.id(root, "sellerId")
	n.Source = clip(r.envelope("source"))
	n.At = at.Time.UTC()
	n.Hash = hashNotification(r, &n, attributes)
	r.instant(root, "timestamp") // Marks the notification as invalid if the year is out of range.

	readAttributes(r, &n, attributes)
	if r.code != "" {
		n.body = shipment.Unintelligible{EventType: clip(n.EventType), Reason: r.code, Message: r.message}
		if strings.HasPrefix(n.EventType, "return_") && n.ShipmentID == "" && len(n.named) > 0 {
			n.ShipmentID = n.named[0]
		}
		n.named, n.lines, n.nodes = nil, nil, nil
		if n.ShipmentID == "" {
			// Every decision belongs to some shipment's stream. This notification names no valid one, and a resolver would
			// wait for its return in vain.
			n.ShipmentID = n.ReturnID
		}
		if n.ShipmentID == "" {
			n.ShipmentID = "unintelligible-" + hex.EncodeToString(n.Hash[:8])
		}
	}
	n.leftOut = r.leftOutNames
	n.subject = n.ShipmentID
	if n.subject == "" {
		n.subject = n.ReturnID
	}
	return n
}

// envelope returns a text of the envelope, empty if it is absent.
func (r *reader) envelope(name string) string {
	if i := r.typed(0, name, kindString); i != none {
		return r.stringOf(i)
	}
	return ""
}

// need is envelope, for a member without which a notification is malformed.
func (r *reader) need(name string) string {
	s := r.envelope(name)
	if s == "" {
		r.malformed(0, ProblemMissing, "no "+name)
	}
	return s
}

// hashNotification returns the SHA-256 of the notification.
func hashNotification(r *reader, n *Notification, attributes int32) [sha256.Size]byte {
	buf := buffers.Get().(*[]byte) //nolint:forcetypeassert // The pool holds nothing else.
	b := append((*buf)[:0], "orderledger.notification.v1\x00"...)
	b = appendText(b, n.EventType)
	for _, name := range [...]string{"shipmentId", "returnId"} {
		// As received: two notifications with different bad ids must not look like one repeated fact.
		id := ""
		if i := r.member(0, name); i != none {
			id = r.exactString(i)
		}
		b = appendText(b, id)
	}
	b = appendText(b, n.At.Format(time.RFC3339Nano))
	b = r.appendCanonical(b, attributes)
	sum := sha256.Sum256(b)
	if cap(b) <= 1<<16 {
		*buf = b
		buffers.Put(buf)
	}
	return sum
}

// readAttributes reads the attributes according to the event type.
func readAttributes(r *reader, n *Notification, attributes int32) {
	status := func(s ledgerv1.Status) {
		needShipment(r, n)
		n.body = shipment.StatusReached{Status: s}
	}
	switch n.EventType {
	case EventShipmentCreated:
		readCreated(r, n, attributes)
	case EventShipmentHold:
		readHold(r, n, attributes)
	case EventShipmentUnhold:
		needShipment(r, n)
		n.body = shipment.Unhold{Status: readStatus(r, attributes, "status")}
	case EventShipmentPacked:
		status(ledgerv1.Status_STATUS_PACKED)
	case EventShipmentReady:
		status(ledgerv1.Status_STATUS_READY_TO_DISPATCH)
	case EventShipmentPickedUp:
		status(ledgerv1.Status_STATUS_PICKUP_COMPLETE)
	case EventShipmentShipped:
		status(ledgerv1.Status_STATUS_SHIPPED)
	case EventShipmentDelivered:
		status(ledgerv1.Status_STATUS_DELIVERED)
	case EventDispatchDatesChanged:
		readDatesChanged(r, n, attributes)
	case EventShipmentCancelled:
		readCancelled(r, n, attributes)
	case EventShipmentFormFailed:
		readFormFailed(r, n, attributes)
	case EventReturnCreated:
		readReturnCreated(r, n, attributes)
	case EventReturnTrackingUpdate:
		readReturnTracked(r, n, attributes)
	case EventReturnExpectedChanged:
		readReturnExpected(r, n, attributes)
	case EventReturnPickedUp:
		readReturnReached(r, n, attributes, ledgerv1.ReturnStatus_RETURN_STATUS_PICKED_UP)
	case EventReturnCompleted:
		readReturnReached(r, n, attributes, ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED)
	case EventReturnCancelled:
		readReturnReached(r, n, attributes, ledgerv1.ReturnStatus_RETURN_STATUS_CANCELLED)
	case EventShipmentObserved:
		readShipmentObserved(r, n, attributes)
	case EventReturnObserved:
		readReturnObserved(r, n, attributes)
	default:
		r.invalid(none, shipment.ReasonUnknownEventType, "unknown event type "+strconv.Quote(clip(n.EventType)))
	}
}

// needShipment marks a notification without a shipmentId as invalid; only returns may leave it out.
func needShipment(r *reader, n *Notification) {
	if n.ShipmentID == "" {
		r.invalid(none, shipment.ReasonBadBody, "no shipmentId")
	}
}

// Key returns the natural key: event type, subject, time and hash. Its length is bounded, because event type and ids
// are.
func (n *Notification) Key() string {
	var b strings.Builder
	b.WriteString(clip(n.EventType))
	b.WriteByte('/')
	b.WriteString(n.subject)
	b.WriteByte('/')
	b.WriteString(n.At.Format(time.RFC3339Nano))
	b.WriteByte('/')
	b.WriteString(hex.EncodeToString(n.Hash[:16]))
	return b.String()
}

// ShipmentIDs returns the shipments of the notification, each once: the envelope's, or those in the lines of a return.
// It returns none if the notification, or a line of it, names only a return: its shipments must be found first.
func (n *Notification) ShipmentIDs() []string {
	if n.ShipmentID != "" {
		return []string{n.ShipmentID}
	}
	if slices.ContainsFunc(n.lines, func(l ReturnLine) bool { return l.ShipmentID == "" }) {
		return nil
	}
	return n.named
}

// Lines returns the lines of a return's notification, in order; none if it is invalid, or means all lines. The caller
// must not change them.
func (n *Notification) Lines() []ReturnLine { return n.lines }

// For returns the part of the notification that concerns one shipment: it leaves out the lines of a return that name
// another shipment. Its key has both the return and the shipment, because both parts may be decided in one lane and
// must not be duplicates of each other. An empty seller keeps the notification's own.
func (n Notification) For(shipmentID, sellerID string) Notification {
	if sellerID != "" {
		n.SellerID = sellerID
	}
	if n.ShipmentID == shipmentID {
		return n
	}
	if n.ReturnID != "" {
		n.subject = n.ReturnID + "@" + shipmentID
	} else {
		n.subject = shipmentID
	}
	n.ShipmentID = shipmentID
	n.named = nil
	if report, ok := n.body.(shipment.ReturnReported); ok {
		var lines []shipment.ReturnLine
		for i, line := range report.Lines {
			if id := n.lines[i].ShipmentID; id == "" || id == shipmentID {
				lines = append(lines, line)
			}
		}
		report.Lines = lines
		n.body = report
	}
	return n
}

// Input returns the input for the aggregate. It is a switch because a fact is a value behind an interface: only its
// concrete type can be copied and completed, and reflection would cost the hot path an allocation.
func (n *Notification) Input() shipment.Input {
	fact := shipment.Fact{
		ShipmentID: n.ShipmentID, SellerID: n.SellerID, LocationID: n.LocationID, At: n.At, Source: n.Source,
		LeftOut: n.leftOut,
	}
	switch b := n.body.(type) {
	case shipment.Created:
		b.Fact = fact
		return b
	case shipment.Hold:
		b.Fact = fact
		return b
	case shipment.Unhold:
		b.Fact = fact
		return b
	case shipment.StatusReached:
		b.Fact = fact
		return b
	case shipment.DatesChanged:
		b.Fact = fact
		return b
	case shipment.Cancelled:
		b.Fact = fact
		return b
	case shipment.FormsFailed:
		b.Fact = fact
		return b
	case shipment.ReturnReported:
		b.Fact = fact
		return b
	case shipment.ReturnTracked:
		b.Fact = fact
		return b
	case shipment.ReturnExpected:
		b.Fact = fact
		return b
	case shipment.ReturnReached:
		b.Fact = fact
		return b
	case shipment.Observed:
		b.Fact = fact
		return b
	case shipment.Unintelligible:
		b.Fact = fact
		return b
	default:
		return shipment.Unintelligible{
			Fact: fact, EventType: clip(n.EventType), Reason: shipment.ReasonBadBody, Message: "no attributes",
		}
	}
}

// Unintelligible reports whether the notification is invalid, and why.
func (n *Notification) Unintelligible() (code shipment.Code, message string, yes bool) {
	u, yes := n.body.(shipment.Unintelligible)
	return u.Reason, u.Message, yes
}

// clip bounds a word of the sender that is stored verbatim, such as the event type in keys.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "")
	}
	return s
}

// addLine adds a line of a return, which is at a node.
func (n *Notification) addLine(node int32, l ReturnLine) {
	n.lines, n.nodes = append(n.lines, l), append(n.nodes, node)
	if l.ShipmentID != "" && !slices.Contains(n.named, l.ShipmentID) {
		n.named = append(n.named, l.ShipmentID)
	}
}
