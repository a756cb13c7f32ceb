package peer

import (
	"errors"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/shipment"
)

// Call is a call as it came, and the submissions that were read from it.
type Call struct {
	// Route names the call, as marketplace.ReadCall knows it.
	Route string
	// PathID is the shipment that the path of the call names; empty if the body names it.
	PathID string
	// Body is the body as it came. It must not change before Submit returns.
	Body []byte
	// SellerID is the tenant, AuthType and AuthID say who asks. They are the same for all commands of a call.
	SellerID, AuthType, AuthID              string
	CorrelationID, CausationID, TraceParent string

	Submissions []Submission
}

// Submission is one command of a call.
type Submission struct {
	// Index is the position of the item in the body.
	Index int
	// ServiceID says which service the item means, if the body does not.
	ServiceID string

	ShipmentID string
	Input      shipment.Input
	// Key is the caller's idempotency key; empty means that the router makes one.
	Key string
	// Hash is the digest of the item.
	Hash events.Hash
}

func (c *Call) command(s Submission) journal.Command {
	return journal.Command{
		ShipmentID: s.ShipmentID, Input: s.Input, Key: s.Key, Hash: s.Hash,
		SellerID: c.SellerID, AuthType: c.AuthType, AuthID: c.AuthID,
		CorrelationID: c.CorrelationID, CausationID: c.CausationID, TraceParent: c.TraceParent,
	}
}

// Result is the receipt of one submission, or the error.
type Result = journal.Result

// ErrOwnerUnreachable means that the owner of the lane cannot be reached from this instance. Nothing was stored.
var ErrOwnerUnreachable = errors.New("owner of the lane unreachable")

// ErrVersions means that the owner reads the call differently, as happens in the middle of an upgrade. Nothing was
// stored.
var ErrVersions = errors.New("two versions of this program read the call differently")
