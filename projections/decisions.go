package projections

import (
	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// DecisionRow is a row of decisions_history.
type DecisionRow struct {
	Lane   int32
	Offset int64
	events.Envelope
	Decision *ledgerv1.Decision
	// Outcome is the name of the decision's outcome.
	Outcome string
	// Occurred and Recorded are its times as the tables hold them.
	Occurred, Recorded Time
}

// Decision returns the row of a record of orders.decisions.v1.
func Decision(lane int32, offset int64, env events.Envelope, d *ledgerv1.Decision) DecisionRow {
	return DecisionRow{
		Lane: lane, Offset: offset, Envelope: env, Decision: d,
		Outcome:  outcomeNames.of(int32(d.GetOutcome())),
		Occurred: timeOf(env.OccurredAt),
		Recorded: max(timeOf(env.RecordedAt), minTime),
	}
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
		Reason: v.GetReason(), Recorded: max(timeOf(env.RecordedAt), minTime),
	}
}
