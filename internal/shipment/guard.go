package shipment

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Facts beyond these limits make no sense. The limits are wide, because every fact that is quarantined needs a person.
const (
	// maxIDBytes bounds an id; real ids have 10 to 40 bytes.
	maxIDBytes = 256
	// maxItems bounds the lines of a shipment.
	maxItems = 1000
	// maxUnits bounds a quantity.
	maxUnits = 1_000_000
	// maxAhead is how far the marketplace's clock may be ahead of ours.
	maxAhead = 24 * time.Hour
	// maxPromise is how far in the future a promised date may lie.
	maxPromise = 10 * 366 * 24 * time.Hour
	// firstYear is earlier than any order of a marketplace of this kind.
	firstYear = 1990
)

// sane quarantines facts that make no sense in any state: bad ids, absurd times, another seller's shipment.
func (x *decider) sane(f Fact) bool {
	x.leftOut = append(x.leftOut, f.LeftOut...)
	switch {
	case f.ShipmentID == "" || !goodID(f.ShipmentID) || len(f.SellerID) > maxIDBytes || len(f.LocationID) > maxIDBytes:
		x.quarantine(ReasonBadID, "The fact names a shipment, seller or location whose id is missing or too long.")
	case x.s != nil && f.ShipmentID != x.s.GetShipmentId():
		x.quarantine(ReasonBadID, "The fact is about another shipment.")
	case !x.plausible(f.At):
		x.quarantine(ReasonBadTime, "The fact's time is before 1990 or after tomorrow.")
	case x.s != nil && f.SellerID != "" && x.s.GetSellerId() != "" && f.SellerID != x.s.GetSellerId():
		x.quarantine(ReasonOtherSeller, "The fact names another seller.")
	default:
		return true
	}
	return false
}

// unintelligible quarantines a notification that is readable but makes no sense, with the reason that the parser gave.
func (x *decider) unintelligible(f Unintelligible) {
	x.leftOut = append(x.leftOut, f.LeftOut...)
	x.quarantine(f.Reason, f.Message)
	if f.Reason == "" {
		x.d.Reason = ReasonBadBody
	}
	if f.Message != "" {
		x.d.Message = f.Message
	}
}

// goodID reports whether an id is present and short enough to be one.
func goodID(id string) bool { return id != "" && len(id) <= maxIDBytes }

// plausible reports whether a fact can have this time. It may lie ahead of our clock by a day, because two clocks
// differ.
func (x *decider) plausible(t time.Time) bool {
	return t.Year() >= firstYear && !t.After(x.now.Add(maxAhead))
}

// promisable reports whether the times can be promises; zero times are fine.
func (x *decider) promisable(times ...time.Time) bool {
	for _, t := range times {
		if !t.IsZero() && (t.Year() < firstYear || t.After(x.now.Add(maxPromise))) {
			return false
		}
	}
	return true
}

// promisableStamp is promisable for a timestamp from a message, which may also be out of range.
func (x *decider) promisableStamp(t *timestamppb.Timestamp) bool {
	return t == nil || t.IsValid() && x.promisable(t.AsTime())
}

// grew reports whether events can have made the state larger by more than a few bytes. It saves most decisions the
// computation of the state's size.
func grew(events []*Event) bool {
	for _, e := range events {
		switch e.GetBody().(type) {
		case *ledgerv1.Event_ReadyToDispatch, *ledgerv1.Event_PickupCompleted, *ledgerv1.Event_ShipmentDelivered,
			*ledgerv1.Event_ShipmentCompleted, *ledgerv1.Event_ShipmentReleased:
		case *ledgerv1.Event_ShipmentShipped:
			if e.GetShipmentShipped().GetSelfShip() != nil {
				return true
			}
		default:
			return true
		}
	}
	return false
}
