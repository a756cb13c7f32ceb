package journal

import (
	"time"

	"github.com/orderledger/orderledger/internal/shipment"
)

// occurred returns the time at which an input without events happened. A fact carries its time, however late it
// arrives; a command happens when it is decided, which need not be when it is recorded.
func (b *batch) occurred(in *input) time.Time {
	fact, _ := shipment.FactOf(in.parsed) // Zero for a command, or an input that could not be decoded.
	for _, at := range []time.Time{fact.At, in.record.ReceivedAt} {
		// An envelope can hold no other years.
		if !at.IsZero() && at.Year() >= 1 && at.Year() <= 9999 {
			return at
		}
	}
	return in.decidedAt
}
