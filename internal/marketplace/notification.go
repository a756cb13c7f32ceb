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

// The marketplace's words for what happened.
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

// Notification is one notification that can be read.
type Notification struct {
	EventType string
	// ShipmentID and ReturnID are what the envelope names; one of them may be empty.
	ShipmentID, ReturnID string
	// LocationID, SellerID and Source are empty where the notification does not say.
	LocationID, SellerID, Source string
	// At is the timestamp, in UTC.
	At time.Time
	// Hash is the SHA-256 of event type, id, timestamp and attributes in their canonical form.
	Hash [sha256.Size]byte

	subject string         // What the key names: the shipment, or the return and the shipment it was led to.
	named   []string       // The shipments that the lines of a return name, each once.
	lines   []string       // The shipment of each line of a return, in the order of lines; empty where it names none.
	body    shipment.Input // Without its Fact.
}

// ParseNotification reads a notification. An error is a *ProblemError: the body can't be read, and what it says is not
// known. A body that can be read and makes no sense gives a notification whose input is shipment.Unintelligible.
func ParseNotification(body []byte, settings Settings) (Notification, error) {
	doc, problem := parseDocument(body)
	if problem != nil {
		return Notification{}, problem
	}
	defer doc.release()
	r := &reader{document: doc, cfg: settings.withDefaults()}
	n := r.notification()
	if r.problem != nil {
		return Notification{}, r.problem
	}
	return n, nil
}

func (r *reader) notification() Notification {
	var n Notification
	const root = 0
	if r.nodes[root].kind != kindObject {
		r.wrong(root, ProblemType, "want an object, got "+r.nodes[root].kind.String())
		return n
	}
	n.EventType = r.need(root, "eventType")
	timestamp := r.need(root, "timestamp")
	rawShipment, rawReturn := r.text(root, "shipmentId"), r.text(root, "returnId")
	if rawShipment == "" && rawReturn == "" {
		r.wrong(root, ProblemMissing, "neither shipmentId nor returnId")
	}
	attributes := r.object(root, "attributes")
	at, ok := ParseWhen(timestamp)
	if !ok {
		r.wrong(r.member(root, "timestamp"), ProblemTime, "want an ISO 8601 time such as 2017-03-28T18:03:01+05:30")
	}
	if r.problem != nil {
		return n
	}

	n.ShipmentID, n.ReturnID = r.id(root, "shipmentId"), r.id(root, "returnId")
	n.LocationID, n.SellerID = r.id(root, "locationId"), r.id(root, "sellerId")
	n.Source = clip(r.text(root, "source"))
	n.At = at.Time.UTC()
	n.Hash = r.hash(&n, rawShipment, rawReturn, attributes)
	r.instant(root, "timestamp") // Notes a year that makes no sense.

	r.body(&n, attributes)
	if r.code != "" {
		n.body = shipment.Unintelligible{EventType: clip(n.EventType), Reason: r.code, Message: r.message}
		if strings.HasPrefix(n.EventType, "return_") && n.ShipmentID == "" && len(n.named) > 0 {
			n.ShipmentID = n.named[0]
		}
		n.named, n.lines = nil, nil
		if n.ShipmentID == "" {
			// It needs some stream to be recorded in; what it names can't be resolved or makes no sense itself.
			n.ShipmentID = n.ReturnID
		}
		if n.ShipmentID == "" {
			n.ShipmentID = "unintelligible-" + hex.EncodeToString(n.Hash[:8])
		}
	}
	n.subject = n.ShipmentID
	if n.subject == "" {
		n.subject = n.ReturnID
	}
	return n
}

// need is text of a member without which a notification can't be read.
func (r *reader) need(object int32, name string) string {
	s := r.text(object, name)
	if s == "" {
		r.wrong(object, ProblemMissing, "no "+name)
	}
	return s
}

// hash returns the SHA-256 that names the notification. The ids are those on the wire, whatever becomes of them.
func (r *reader) hash(n *Notification, rawShipment, rawReturn string, attributes int32) [sha256.Size]byte {
	buf := scratches.Get().(*[]byte) //nolint:forcetypeassert // The pool holds nothing else.
	b := append((*buf)[:0], "orderledger.notification.v1\x00"...)
	b = appendText(b, n.EventType)
	b = appendText(b, rawShipment)
	b = appendText(b, rawReturn)
	b = appendText(b, n.At.Format(time.RFC3339Nano))
	b = r.appendCanonical(b, attributes)
	sum := sha256.Sum256(b)
	if cap(b) <= 1<<16 {
		*buf = b
		scratches.Put(buf)
	}
	return sum
}

// body reads the attributes as the event type wants them.
func (r *reader) body(n *Notification, attributes int32) {
	status := func(s ledgerv1.Status) {
		r.needShipment(n)
		n.body = shipment.StatusReached{Status: s}
	}
	switch n.EventType {
	case EventShipmentCreated:
		r.created(n, attributes)
	case EventShipmentHold:
		r.hold(n, attributes)
	case EventShipmentUnhold:
		r.needShipment(n)
		n.body = shipment.Unhold{Status: r.status(attributes, "status")}
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
		r.datesChanged(n, attributes)
	case EventShipmentCancelled:
		r.cancelled(n, attributes)
	case EventShipmentFormFailed:
		r.formFailed(n, attributes)
	case EventReturnCreated:
		r.returnTold(n, attributes)
	case EventReturnTrackingUpdate:
		r.returnTracked(n, attributes)
	case EventReturnExpectedChanged:
		r.returnExpected(n, attributes)
	case EventReturnPickedUp:
		r.returnReached(n, attributes, ledgerv1.ReturnStatus_RETURN_STATUS_PICKED_UP)
	case EventReturnCompleted:
		r.returnReached(n, attributes, ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED)
	case EventReturnCancelled:
		r.returnReached(n, attributes, ledgerv1.ReturnStatus_RETURN_STATUS_CANCELLED)
	default:
		r.odd(none, shipment.ReasonUnknownEventType, "the event type "+strconv.Quote(clip(n.EventType))+" is not known")
	}
}

func (r *reader) needShipment(n *Notification) {
	if n.ShipmentID == "" {
		r.odd(none, shipment.ReasonBadBody, "no shipmentId")
	}
}

// Key returns the natural key: the event type, what it is about, the time and the hash. It is bounded by the longest id
// that makes sense.
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

// ShipmentIDs returns the shipments that it is about, each once: the envelope's, or those that the lines of a return
// name. None means that it names only a return.
func (n *Notification) ShipmentIDs() []string {
	if n.ShipmentID != "" {
		return []string{n.ShipmentID}
	}
	return n.named
}

// For returns the notification as it concerns one shipment: a return's lines that name another shipment are left out,
// and its key names both the return and the shipment. An empty seller keeps the notification's own.
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
	if told, ok := n.body.(shipment.ReturnReported); ok {
		var lines []shipment.ReturnLine
		for i, line := range told.Lines {
			if n.lines[i] == "" || n.lines[i] == shipmentID {
				lines = append(lines, line)
			}
		}
		told.Lines = lines
		n.body = told
	}
	return n
}

// Input returns what the notification tells the aggregate.
func (n *Notification) Input() shipment.Input {
	fact := shipment.Fact{
		ShipmentID: n.ShipmentID, SellerID: n.SellerID, LocationID: n.LocationID, At: n.At, Source: n.Source,
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
	case shipment.Unintelligible:
		b.Fact = fact
		return b
	default:
		return shipment.Unintelligible{
			Fact: fact, EventType: clip(n.EventType), Reason: shipment.ReasonBadBody, Message: "it says nothing",
		}
	}
}

// Unintelligible reports whether it makes no sense, and why.
func (n *Notification) Unintelligible() (code shipment.Code, message string, yes bool) {
	u, yes := n.body.(shipment.Unintelligible)
	return u.Reason, u.Message, yes
}

// clip bounds a word that is kept as it is.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "")
	}
	return s
}

// name adds a shipment that a line of a return names.
func (n *Notification) name(shipmentID string) {
	n.lines = append(n.lines, shipmentID)
	if shipmentID != "" && !slices.Contains(n.named, shipmentID) {
		n.named = append(n.named, shipmentID)
	}
}
