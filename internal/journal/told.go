package journal

import (
	"time"

	"github.com/orderledger/orderledger/internal/shipment"
)

// happened returns when an input that gave no events happened: a fact says so itself, whenever it came. A command
// happens when it is decided.
func (b *batch) happened(in *input) time.Time {
	for _, at := range []time.Time{toldAt(in.parsed), in.record.ReceivedAt} {
		// An envelope holds no other years.
		if !at.IsZero() && at.Year() >= 1 && at.Year() <= 9999 {
			return at
		}
	}
	return b.now
}

// toldAt returns the time that a fact gives; zero for none.
func toldAt(in shipment.Input) time.Time {
	switch f := in.(type) {
	case shipment.Created:
		return f.At
	case shipment.Hold:
		return f.At
	case shipment.Unhold:
		return f.At
	case shipment.StatusReached:
		return f.At
	case shipment.DatesChanged:
		return f.At
	case shipment.Cancelled:
		return f.At
	case shipment.FormsFailed:
		return f.At
	case shipment.ReturnTold:
		return f.At
	case shipment.ReturnTracked:
		return f.At
	case shipment.ReturnExpected:
		return f.At
	case shipment.ReturnReached:
		return f.At
	case shipment.Observed:
		return f.At
	case shipment.Unintelligible:
		return f.At
	default: // A command, or what could not be decoded.
		return time.Time{}
	}
}
