package journal

import (
	"slices"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// input is something a lane decides: a command, a record of the inbox, or one that has waited.
type input struct {
	call    *call              // Nil unless it is a command.
	waiting *lanestore.Waiting // Nil unless it has waited.
	record  InboxRecord        // Key, hash and actor; of commands too.
	cause   string             // The causation id; of a record of the inbox, its offset says it.
	parsed  shipment.Input

	decidedAt time.Time // When this batch decides it.

	// foreign says why the record can only be quarantined.
	foreign error
	// expired says that the input has waited too long, so that it is quarantined instead of decided.
	expired bool
	// noExpand leaves the inputs that wait for this one's shipment to a later batch.
	noExpand bool
	// forced is the broker's error after it rejected this input's records; bare leaves the body out of the decision too.
	forced error
	bare   bool

	settled bool // Its outcome is committed.
	inDoubt bool // A commit that held it has an unknown outcome.
}

func commandInput(c *call) *input {
	m := &c.cmd
	return &input{
		call: c, parsed: m.Input, cause: m.CausationID,
		record: InboxRecord{
			ShipmentID: m.ShipmentID, Key: c.key, Hash: m.Hash, SellerID: m.SellerID, CorrelationID: m.CorrelationID,
			AuthType: m.AuthType, AuthID: m.AuthID, TraceParent: m.TraceParent, Offset: events.NoInboxOffset,
		},
	}
}

func (l *lane) recordInput(r InboxRecord, foreign error) *input {
	return &input{record: r, foreign: foreign}
}

func (l *lane) waitingInput(w *heldInput, expired bool) *input {
	return &input{waiting: &w.Waiting, record: *w.record, expired: expired}
}

func (in *input) isFact() bool {
	return in.call == nil || shipment.IsFact(in.parsed)
}

// mayConcern reports whether the sender's credential speaks for the shipment's seller, as far as the input carries the
// sellers of the credential. A fact of a shipment that is not known yet waits, and is checked again after its creation.
func (in *input) mayConcern(state *shipment.State) bool {
	if len(in.record.Sellers) == 0 {
		return true
	}
	seller := state.GetSellerId()
	if state == nil {
		created, ok := in.parsed.(shipment.Created)
		if !ok {
			return true
		}
		seller = created.SellerID
	}
	return slices.Contains(in.record.Sellers, seller)
}

// sender returns for whom the input was sent.
func (in *input) sender() lanestore.Sender {
	return lanestore.SenderOf(in.record.SellerID, in.record.Sellers)
}

// kind names the input in decisions, even if it can't be decoded.
func (in *input) kind() string {
	if in.parsed == nil {
		return "notification.unreadable"
	}
	return shipment.TypeOf(in.parsed)
}

// refuse returns the decision about an input that can't be decided at all. A command is rejected, since its caller can
// act on that; a fact is quarantined, since its sender got a 200 and will not send it again.
func (in *input) refuse(code shipment.Code, message string) shipment.Decision {
	d := shipment.Decision{Outcome: ledgerv1.Outcome_OUTCOME_REJECTED, Reason: code, Message: message}
	if in.isFact() {
		d.Outcome = ledgerv1.Outcome_OUTCOME_QUARANTINED
	}
	return d
}

// kindSafe is kind for an input that has made the rules panic: naming it may panic too.
func (in *input) kindSafe() (kind string) {
	defer func() {
		if recover() != nil {
			kind = "unknown"
		}
	}()
	return in.kind()
}
