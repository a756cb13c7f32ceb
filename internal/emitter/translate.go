package emitter

import (
	"strings"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Recorded is an event with its lane and envelope.
type Recorded struct {
	Lane     int32
	Envelope events.Envelope
	Event    *ledgerv1.Event
}

// Message is the suborder message of one event.
type Message struct {
	// ID is the messageId: the same in every repeat, rising within a lane, below 2^53. See MessageID.
	ID int64
	// ShipmentID is the key of the record.
	ShipmentID string
	// Type is the event type of the suborder.
	Type string
	// Otherwise is the event type for an endpoint whose COMPLETE stage is not in Stages. Empty means that such an endpoint
	// does not get the message. Retype changes the body to that type.
	Otherwise string
	// Stages are the stages that the suborder has just reached. Only a SUBORDER_COMPLETE has any.
	Stages []ledgerv1.Stage
	// Reached are the stages that the suborder had reached before a SUBORDER_PROPERTIES_UPDATE. An endpoint that has had
	// its COMPLETE does not get the message.
	Reached []ledgerv1.Stage
	// Hold is HoldHeld or HoldReleased if the event held or released the shipment. It allows an endpoint to filter for
	// releases.
	Hold string
	// Profile is the name of the body's profile.
	Profile string
	// LocationCode and ChannelName are those of the body. They allow an endpoint to filter by them.
	LocationCode, ChannelName string
	// At is when the event happened.
	At time.Time
	// Body is the JSON that is signed and sent as it is.
	Body []byte
	// Notes are the deviations of the body from the contract.
	Notes Notes
}

// The values of Message.Hold.
const (
	HoldHeld     = "held"
	HoldReleased = "released"
)

const (
	// maxProfiles is the number of possible profiles: an event makes at most one message of each.
	maxProfiles = 8
	// maxLanes is the number of possible lanes.
	maxLanes = 4096
)

// MessageID returns the id of the message that a profile makes of an event. It depends only on the arguments, so a
// repeat has the same id. It is unique in the ledger and rises within the lane. It stays below 2^53 for the first 2^38
// events of a lane, so that parsers that read numbers as floats keep it exact.
func MessageID(laneSeq uint64, profile, lane int32) int64 {
	return (int64(laneSeq)*maxProfiles+int64(profile))*maxLanes + int64(lane)
}

// Translate returns the message that a profile makes of an event, or false if it makes none. It is pure: the same
// arguments make the same bytes.
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

// classify returns the suborder event type of an event of the ledger.
//
// The type of the ledger's event is not enough: a cancellation can complete a stage, because only shipped units are
// left, and a fact can reach several stages at once. The transition of the event lists the stages.
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
	}
	update := Message{Type: SuborderPropertiesUpdate, Reached: state.GetStages()}
	switch body := e.GetBody().(type) {
	case *ledgerv1.Event_ShipmentHeld:
		update.Hold = HoldHeld
		return update, true
	case *ledgerv1.Event_ShipmentReleased:
		update.Hold = HoldReleased
		return update, true
	case *ledgerv1.Event_DispatchDatesChanged:
		dates := body.DispatchDatesChanged
		return update, dates.GetDispatchAfter() != nil || dates.GetDispatchBy() != nil
	case *ledgerv1.Event_PropertiesUpdated:
		return update, changesBody(body.PropertiesUpdated)
	}
	return Message{}, false
}

// changesBody reports whether an update changes a field that messages contain.
func changesBody(u *ledgerv1.PropertiesUpdated) bool {
	d := u.GetDetails()
	if u.GetDispatchAfter() != nil || u.GetDispatchBy() != nil ||
		d.GetDeliveryAddress() != nil || d.GetBillingAddress() != nil ||
		d.GetShipmentType() != "" || d.GetDispatchServiceTier() != "" || d.GetExtensionsJson() != "" {
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

// wasCancelled reports whether a suborder with live units has had a SUBORDER_CANCEL, or a SUBORDER_CREATE without live
// units. That happens when all units were cancelled, and a return of cancelled units, or the cancellation of a courier
// return, revived some of them.
//
// The state shows only that every unit was cancelled at some time, not that all of them were cancelled at the same
// time. If units were cancelled and revived in turns, and some were always live, a later COMPLETE may therefore be
// missing. Cancellations are always sent.
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

// stageName returns the name of a stage in headers and settings, or "" for a stage that this version does not know.
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

// stageNames returns the names of stages, separated by commas.
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
