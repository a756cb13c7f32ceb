package journal

import (
	"time"

	"github.com/orderledger/orderledger/internal/shipment"
)

// happened returns when an input that gave no events happened: a fact says so itself, whenever it came. A command
// happens when it is decided.
func (b *batch) happened(in *input) time.Time {
	fact, _ := shipment.FactOf(in.parsed) // A command, or what could not be decoded, says no time.
	for _, at := range []time.Time{fact.At, in.record.ReceivedAt} {
		// An envelope holds no other years.
		if !at.IsZero() && at.Year() >= 1 && at.Year() <= 9999 {
			return at
		}
	}
	return b.now
}
