package journal

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderledger/orderledger/internal/journal/lanestore"
)

// Errors that a caller may get in place of a receipt. All but ErrInDoubt mean that this attempt stored nothing; an
// earlier one with the same key may have.
var (
	// ErrNotOwner says that this instance does not own the shipment's lane: send it to the owner.
	ErrNotOwner = errors.New("this instance does not own the lane")
	// ErrLaneMoving says that the caller's time ended while the lane was being taken over: try again.
	ErrLaneMoving = errors.New("the lane is being taken over")
	// ErrInDoubt says that the command may or may not be stored: submit it again with the same key.
	ErrInDoubt = errors.New("the outcome is in doubt")
	// ErrFenced says that another instance has taken the lane: this one's batch was not stored.
	ErrFenced = errors.New("another instance has taken the lane")
	// ErrInvalid says that a command can't be submitted as it is, or that the answer to its ephemeral key was dropped. In
	// the second case an earlier attempt may have stored it, so nobody can say whether it is stored.
	ErrInvalid = errors.New("invalid command")
)

// errForgotten refuses a repeat that the lane can no longer recognize. This attempt stores nothing; an earlier one may
// have stored the command.
var errForgotten = fmt.Errorf("%w: the answer to its key was dropped", ErrInvalid)

// Errors that keep a lane closed. Ready and the log name them.
var (
	// ErrTimestamp says that the broker refuses the recorded time of a lane: no input is to blame, so the lane closes.
	ErrTimestamp = errors.New("the broker refuses the recorded time; " +
		"set message.timestamp.after.max.ms of the topic to 9223372036854775807")
	// ErrDamaged says that a lane's events and decisions are not as an owner wrote them.
	ErrDamaged = errors.New("the lane is damaged")
	// ErrOutOfRange says that a topic no longer holds the position to read on from, or does not hold it yet.
	ErrOutOfRange = errors.New("the position is out of the topic's range")
	// ErrLanes says that the topics' partitions are not the configured lanes.
	ErrLanes = errors.New("the topics do not have the configured number of lanes")
)

// Reasons of decisions that the journal takes itself. They are permanent.
const (
	// ReasonRepeated is the reason of a decision about an input whose key had been answered before.
	ReasonRepeated = lanestore.ReasonRepeated
	// ReasonRestored is the reason of a decision written anew from the events it gave, after an embedded broker lost it.
	ReasonRestored = lanestore.ReasonRestored
)

// tornError says that the last transaction of an embedded broker was written in part.
type tornError struct {
	first, last int64 // Offsets of the decisions that lost their events.
}

func (e *tornError) Error() string {
	return fmt.Sprintf("decisions %d to %d lost their events", e.first, e.last)
}

// isFenced reports whether another owner holds the transactional id. Which of these errors a broker returns depends on
// its version, and on whether the epochs of the id have just run out.
func isFenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) ||
		errors.Is(err, kerr.InvalidProducerIDMapping) || errors.Is(err, kerr.InvalidTxnState)
}

// isRejected reports whether the broker rejects a record because of its content, however often it is sent. Such a
// record fails the whole batch, so the committer finds the record by halving.
func isRejected(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) ||
		errors.Is(err, kerr.InvalidRecord) || errors.Is(err, kerr.UnsupportedForMessageFormat)
}
