package projections

import (
	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// DecisionRow is a row of decisions_history, one field per column.
type DecisionRow struct {
	Lane        int32
	Offset      int64
	DecisionSeq uint64
	DecisionID  string
	// Outcome is the name of the decision's outcome.
	Outcome, Reason, Message string
	InputKey, InputType      string
	InputHash                events.Hash
	ShipmentID, SellerID     string
	// InboxOffset counts only if FromInbox: commands have none.
	InboxOffset                int64
	FromInbox                  bool
	FirstVersion, LastVersion  uint64
	CorrelationID, CausationID string
	AuthType, AuthID           string
	Occurred, Decided          Time
	Recorded                   Time
	Waited                     bool
	UnknownItems               []string
	LeftOut                    []string
	EventsLaneSeq              uint64
	EventsHead, ChainHash      events.Hash
	Body                       []byte
	BodyBytes                  uint32
}

// Decision returns the row of a record of orders.decisions.v1.
func Decision(lane int32, offset int64, env events.Envelope, d *ledgerv1.Decision) DecisionRow {
	return DecisionRow{
		Lane: lane, Offset: offset, DecisionSeq: env.LaneSeq, DecisionID: env.ID,
		Outcome: outcomeNames.of(int32(d.GetOutcome())), Reason: d.GetReason(), Message: d.GetMessage(),
		InputKey: d.GetInputKey(), InputType: d.GetInputType(), InputHash: hashOf(d.GetInputHash()),
		ShipmentID: d.GetShipmentId(), SellerID: d.GetSellerId(),
		InboxOffset: d.GetInboxOffset(), FromInbox: d.InboxOffset != nil,
		FirstVersion: d.GetFirstVersion(), LastVersion: d.GetLastVersion(),
		CorrelationID: env.CorrelationID, CausationID: env.CausationID, AuthType: env.AuthType, AuthID: env.AuthID,
		Occurred: timeOf(env.OccurredAt), Decided: recordedOf(env.DecidedAt), Recorded: recordedOf(env.RecordedAt),
		Waited: d.GetWaited(), UnknownItems: d.GetUnknownItems(), LeftOut: d.GetLeftOut(),
		EventsLaneSeq: d.GetEventsLaneseq(), EventsHead: hashOf(d.GetEventsHead()), ChainHash: env.ChainHash,
		Body: d.GetBody(), BodyBytes: d.GetBodyBytes(),
	}
}

// hashOf returns bytes in the fixed size of a column of hashes, cut or filled up with zeroes: a decision with a
// malformed hash is still a decision, and must have its row.
func hashOf(b []byte) (h events.Hash) {
	copy(h[:], b)
	return h
}

// VoidRow is a row of decision_voids: a range of decisions that do not count.
type VoidRow struct {
	Lane                    int32
	Offset                  int64
	FirstOffset, LastOffset int64
	Reason                  string
	Recorded                Time
}

// Void returns the row of a record that voids decisions.
func Void(lane int32, offset int64, env events.Envelope, v *ledgerv1.DecisionsVoided) VoidRow {
	return VoidRow{
		Lane: lane, Offset: offset, FirstOffset: v.GetFirstOffset(), LastOffset: v.GetLastOffset(),
		Reason: v.GetReason(), Recorded: recordedOf(env.RecordedAt),
	}
}
