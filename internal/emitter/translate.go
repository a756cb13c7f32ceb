package emitter

import (
	"strings"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Recorded is an event as it stands in its lane.
type Recorded struct {
	Lane     int32
	Envelope events.Envelope
	Event    *ledgerv1.Event
}

// Message is what a fulfilment system is told of one event.
type Message struct {
	// ID is the messageId: stable across repeats, rising within a lane, below 2^53. See MessageID.
	ID int64
	// ShipmentID is the key of the record.
	ShipmentID string
	// Type is the event of the suborder.
	Type string
	// Otherwise is what the message is for an endpoint that waits for another stage than those in Stages: empty when it
	// is then nothing. Retype turns the body into it.
	Otherwise string
	// Stages are the stages that the suborder reached for the first time, of a SUBORDER_COMPLETE only.
	Stages []ledgerv1.Stage
	// Hold is HoldHeld or HoldReleased where that is what changed: an endpoint may want releases only.
	Hold string
	// Profile names the form of the body.
	Profile string
	// LocationCode and ChannelName are those of the body, for endpoints that take some only.
	LocationCode, ChannelName string
	// At is when the event happened.
	At time.Time
	// Body is the JSON that is sent and signed, byte for byte.
	Body []byte
	// Notes say where the body is less than it should be.
	Notes Notes
}

// The values of Message.Hold.
const (
	HoldHeld     = "held"
	HoldReleased = "released"
)

const (
	// maxProfiles is how many profiles there can be: one event makes at most one message for each.
	maxProfiles = 8
	// maxLanes is how many lanes there can be.
	maxLanes = 4096
)

// MessageID returns the id of the message that a profile makes of a lane's event: unique in the ledger, the same
// whenever it is computed, rising within the lane, and below 2^53 for the first 2^38 events of it, so that readers
// whose numbers are floats keep it exact.
func MessageID(laneSeq uint64, profile, lane int32) int64 {
	return (int64(laneSeq)*maxProfiles+int64(profile))*maxLanes + int64(lane)
}

// Translate returns what a profile tells of an event, or false when it tells nothing. It is pure: the same arguments
// make the same bytes.
func Translate(r Recorded, p Profile, c *Channel) (Message, bool) {
	m, ok := classify(r.Event)
	if !ok {
		return Message{}, false
	}
	state := r.Event.GetAfter()
	order, notes := newSuborder(state, c)
	m.ID = MessageID(r.Envelope.LaneSeq, p.Number, r.Lane)
	m.ShipmentID = state.GetShipmentId()
	m.Profile = p.Name
	m.LocationCode, m.ChannelName = order.locationCode, order.channelName
	m.At = r.Envelope.OccurredAt
	w := writer{b: make([]byte, 0, 512+1024*len(order.lines)), notes: notes}
	p.write(&w, &m, &order)
	m.Body, m.Notes = w.b, w.notes
	return m, true
}

// classify decides which event of the suborder an event of the ledger is.
//
// What may change does not follow from the event's type alone: a cancellation can bring the last live unit to a stage,
// and a fact can reach several stages at once. Both are in the transition.
func classify(e *ledgerv1.Event) (Message, bool) {
	state, stages := e.GetAfter(), e.GetTransition().GetStages()
	live := liveUnits(state) > 0
	switch e.GetBody().(type) {
	case *ledgerv1.Event_ShipmentCreated:
		return Message{Type: SuborderCreate}, true
	case *ledgerv1.Event_ItemsCancelled:
		switch {
		case !live:
			return Message{Type: SuborderCancel}, true
		case len(stages) > 0:
			return Message{Type: SuborderComplete, Stages: stages, Otherwise: SuborderPartialCancel}, true
		}
		return Message{Type: SuborderPartialCancel}, true
	}
	switch {
	case !live || wasCancelled(state):
		return Message{}, false
	case len(stages) > 0:
		return Message{Type: SuborderComplete, Stages: stages}, true
	case len(state.GetStages()) > 0:
		return Message{}, false
	}
	switch body := e.GetBody().(type) {
	case *ledgerv1.Event_ShipmentHeld:
		return Message{Type: SuborderPropertiesUpdate, Hold: HoldHeld}, true
	case *ledgerv1.Event_ShipmentReleased:
		return Message{Type: SuborderPropertiesUpdate, Hold: HoldReleased}, true
	case *ledgerv1.Event_DispatchDatesChanged:
		dates := body.DispatchDatesChanged
		return Message{Type: SuborderPropertiesUpdate}, dates.GetDispatchAfter() != nil || dates.GetDispatchBy() != nil
	case *ledgerv1.Event_PropertiesUpdated:
		return Message{Type: SuborderPropertiesUpdate}, isTold(body.PropertiesUpdated)
	}
	return Message{}, false
}

// isTold tells whether an update touches what a message says.
func isTold(u *ledgerv1.PropertiesUpdated) bool {
	d := u.GetDetails()
	if u.GetDispatchAfter() != nil || u.GetDispatchBy() != nil ||
		d.GetDeliveryAddress() != nil || d.GetBillingAddress() != nil || d.GetShipmentType() != "" || d.GetDispatchServiceTier() != "" || d.GetExtensionsJson() != "" {
		return true
	}
	for _, item := range u.GetItems() {
		d := item.GetDetails()
		if item.GetCancelledBy() != 0 || d.GetOrderDate() != nil || d.GetPaymentType() != "" || d.GetFsn() != "" ||
			d.GetSku() != "" || d.GetListingId() != "" || d.GetPrice() != nil || d.GetDispatchServiceTier() != "" ||
			d.GetExtensionsJson() != "" {
			return true
		}
	}
	return false
}

// wasCancelled tells whether SUBORDER_CANCEL has been told of a suborder that has live units, because the cancellation
// of a courier return brought them back: all units have been cancelled at some time then. Whether at one and the same
// time the state does not tell. So of a shipment whose units were cancelled and brought back in turns, and which was
// never without live units, a later COMPLETE may be missing; cancellations are told in any case.
func wasCancelled(s *ledgerv1.Shipment) bool {
	for _, i := range s.GetItems() {
		ever := int64(events.CancelledUnits(i))
		for _, c := range i.GetCancellations() {
			ever += int64(c.GetRevived())
		}
		if ever < int64(i.GetOrdered()) {
			return false
		}
	}
	return true
}

func liveUnits(s *ledgerv1.Shipment) int64 {
	var live int64
	for _, i := range s.GetItems() {
		live += max(int64(i.GetOrdered())-int64(events.CancelledUnits(i)), 0)
	}
	return live
}

// stageName is a stage as headers and configurations write it, or "" for one that this version does not know.
func stageName(s ledgerv1.Stage) string {
	switch s {
	case ledgerv1.Stage_STAGE_SHIPPED:
		return StageShipped
	case ledgerv1.Stage_STAGE_DELIVERED:
		return StageDelivered
	case ledgerv1.Stage_STAGE_COMPLETED:
		return StageCompleted
	case ledgerv1.Stage_STAGE_UNSPECIFIED:
	}
	return ""
}

// stageNames joins stages by commas.
func stageNames(stages []ledgerv1.Stage) string {
	if len(stages) == 1 {
		return stageName(stages[0])
	}
	var b strings.Builder
	for _, s := range stages {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(stageName(s))
	}
	return b.String()
}
