package sellers

import (
	"sync/atomic"

	"github.com/orderledger/orderledger/internal/shipment"
)

// Live holds the directory that is in force. Many goroutines may use it. A request takes Current once and keeps it, so
// that it is judged by one set of sellers from beginning to end.
type Live struct {
	current atomic.Pointer[Directory]
}

// NewLive returns a Live that holds the directory of a valid configuration.
func NewLive(c Config) *Live {
	l := &Live{}
	l.Replace(c)
	return l
}

// Current returns the directory in force.
func (l *Live) Current() *Directory { return l.current.Load() }

// Replace puts the directory of a valid configuration in force.
func (l *Live) Replace(c Config) { l.current.Store(New(c)) }

// Policy returns the policy of a seller by the directory in force. It has the form of journal.Deps.Policy.
func (l *Live) Policy(sellerID, locationID string) shipment.Policy {
	return l.Current().Policy(sellerID, locationID)
}
