package projections

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// ServiceRow is a row of services_state, one field per column.
type ServiceRow struct {
	ShipmentID, ServiceID, OrderItemID, ReturnID string
	Kind, Status                                 string
	FirstDue, Due                                Time
	FailedAttempts                               uint32
	Started, Completed, Cancelled                Time
	Version                                      uint64
	Updated                                      Time
}

// AppendServices appends the rows of the services of a shipment in a state, tech visits included.
func AppendServices(dst []ServiceRow, s *ledgerv1.Shipment) []ServiceRow {
	for _, v := range s.GetServices() {
		dst = append(dst, ServiceRow{
			ShipmentID: s.GetShipmentId(), ServiceID: v.GetServiceId(),
			OrderItemID: v.GetOrderItemId(), ReturnID: v.GetReturnId(),
			Kind: serviceKindNames.of(int32(v.GetKind())), Status: serviceStatusNames.of(int32(v.GetStatus())),
			FirstDue: stamp(v.GetFirstDueAt()), Due: stamp(v.GetDueAt()), FailedAttempts: v.GetAttempts(),
			Started: moment(v.GetStarted()), Completed: moment(v.GetCompleted()), Cancelled: moment(v.GetCancelled()),
			Version: s.GetVersion(), Updated: stamp(s.GetUpdatedAt()),
		})
	}
	return dst
}

// ReturnRow is a row of returns_state, one field per column.
type ReturnRow struct {
	ReturnID, OrderItemID, ShipmentID, SellerID string
	Source, Status                              string
	Units                                       uint32
	Reason, SubReason                           string
	Created, Approved, Rejected                 Time
	PickedUp, Completed, Cancelled, Expected    Time
	CreatedLatest, ApprovedLatest               Time // Bounds of steps that nobody reported.
	RejectedLatest, PickedUpLatest              Time
	CompletedLatest, CancelledLatest            Time
	TrackingID, Courier                         string
	Irregular                                   bool
	Version                                     uint64
	Updated                                     Time
}

// AppendReturns appends the rows of the return lines of a shipment in a state.
func AppendReturns(dst []ReturnRow, s *ledgerv1.Shipment) []ReturnRow {
	for _, r := range s.GetReturns() {
		dst = append(dst, ReturnRow{
			ReturnID: r.GetReturnId(), OrderItemID: r.GetOrderItemId(), ShipmentID: s.GetShipmentId(), SellerID: s.GetSellerId(),
			Source: returnSourceNames.of(int32(r.GetSource())), Status: returnStatusNames.of(int32(r.GetStatus())),
			Units: r.GetUnits(), Reason: r.GetReason(), SubReason: r.GetSubReason(),
			Created: moment(r.GetCreated()), Approved: moment(r.GetApproved()), Rejected: moment(r.GetRejected()),
			PickedUp: moment(r.GetPickedUp()), Completed: moment(r.GetCompleted()), Cancelled: moment(r.GetCancelled()),
			CreatedLatest: bound(r.GetCreated()), ApprovedLatest: bound(r.GetApproved()), RejectedLatest: bound(r.GetRejected()),
			PickedUpLatest: bound(r.GetPickedUp()), CompletedLatest: bound(r.GetCompleted()),
			CancelledLatest: bound(r.GetCancelled()),
			Expected:        stamp(r.GetExpectedDate()), TrackingID: r.GetTrackingId(), Courier: r.GetCourierName(),
			Irregular: r.GetIrregular(), Version: s.GetVersion(), Updated: stamp(s.GetUpdatedAt()),
		})
	}
	return dst
}

// ClockRow is a row of sla_clocks, one field per column.
type ClockRow struct {
	ShipmentID, SellerID, LocationID string
	Clock, SubjectID                 string
	Started, FirstDue, Due           Time
	Done                             Time
	DoneDay                          bool
	DoneCertainty                    string
	Cancelled                        Time
	FailedAttempts, Extensions       uint32
	Version                          uint64
	Updated                          Time
}

// AppendClocks appends the rows of the clocks of a shipment in a state.
func AppendClocks(dst []ClockRow, s *ledgerv1.Shipment) []ClockRow {
	for _, c := range s.GetClocks() {
		dst = append(dst, ClockRow{
			ShipmentID: s.GetShipmentId(), SellerID: s.GetSellerId(), LocationID: s.GetLocationId(),
			Clock: clockNames.of(int32(c.GetKind())), SubjectID: c.GetSubjectId(),
			Started: stamp(c.GetStartedAt()), FirstDue: stamp(c.GetFirstDueAt()), Due: stamp(c.GetDueAt()),
			Done: ended(c.GetDone()), DoneDay: c.GetDone().GetDay(), DoneCertainty: certainty(c.GetDone()),
			Cancelled: stamp(c.GetCancelledAt()), FailedAttempts: c.GetAttempts(), Extensions: c.GetExtensions(),
			Version: s.GetVersion(), Updated: stamp(s.GetUpdatedAt()),
		})
	}
	return dst
}
