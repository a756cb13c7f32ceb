package peer

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// A request to an owner holds the body of the call as it came, and says which of its items are meant:
//
//	4 bytes  length of the head, most significant first
//	head     JSON, see forward
//	body     the call's
//
// The owner reads the body with the same reader as the router, so there is one form of inputs and not two. The hash of
// each command goes along: an owner of another version that reads the item differently refuses it. Only add a member to
// the head if an older owner may ignore it.

// forward is the head of a request to an owner, with the body.
type forward struct {
	// Action is the route of the call.
	Action string `json:"action"`
	// PathID is the shipment that the path of the call names.
	PathID        string `json:"pathId,omitempty"`
	SellerID      string `json:"sellerId,omitempty"`
	AuthType      string `json:"authType,omitempty"`
	AuthID        string `json:"authId,omitempty"`
	CorrelationID string `json:"correlationId,omitempty"`
	CausationID   string `json:"causationId,omitempty"`
	TraceParent   string `json:"traceParent,omitempty"`
	// TimeoutMillis is how long the owner may take. After that the router stops waiting.
	TimeoutMillis int64              `json:"timeoutMs"`
	Commands      []forwardedCommand `json:"commands"`

	body []byte
}

// forwardedCommand names one of the items in the body.
type forwardedCommand struct {
	Index      int    `json:"index"`
	ShipmentID string `json:"shipmentId"`
	// ServiceID is set if the sender looked up which service is meant.
	ServiceID string `json:"serviceId,omitempty"`
	Key       string `json:"key"`
	// First says that no earlier attempt can have stored the command.
	First bool   `json:"first,omitempty"`
	Hash  string `json:"hash"`
}

// maxHeadBytes bounds the head: a hundred commands with the longest ids and keys need less.
const maxHeadBytes = 1 << 20

func (f *forward) encode() ([]byte, error) {
	head, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("forward %s: %w", f.Action, err)
	}
	out := make([]byte, 0, 4+len(head)+len(f.body))
	out = binary.BigEndian.AppendUint32(out, uint32(len(head)))
	return append(append(out, head...), f.body...), nil
}

func decodeForward(data []byte) (*forward, error) {
	if len(data) < 4 {
		return nil, errors.New("it ends before its head")
	}
	n := binary.BigEndian.Uint32(data)
	data = data[4:]
	if n > maxHeadBytes || int(n) > len(data) {
		return nil, fmt.Errorf("a head of %d bytes", n)
	}
	f := &forward{body: data[n:]}
	if err := json.Unmarshal(data[:n], f); err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	if f.TimeoutMillis <= 0 || len(f.Commands) == 0 {
		return nil, errors.New("no commands, or no time for them")
	}
	return f, nil
}

func (f *forward) timeout() time.Duration { return time.Duration(f.TimeoutMillis) * time.Millisecond }

// command returns the journal's command for one of the items. read are all items, as this instance reads them. An error
// means that they are not what the sender read.
func (f *forward) command(at forwardedCommand, read []marketplace.Command) (journal.Command, error) {
	if at.Index < 0 || at.Index >= len(read) {
		return journal.Command{}, fmt.Errorf("no item %d in the body", at.Index)
	}
	c := read[at.Index]
	switch {
	case c.Code != "":
		return journal.Command{}, fmt.Errorf("item %d is refused here: %s: %s", at.Index, c.Code, c.Message)
	case hex.EncodeToString(c.Hash[:]) != at.Hash:
		return journal.Command{}, fmt.Errorf("item %d has another hash here", at.Index)
	case c.ShipmentID != "" && c.ShipmentID != at.ShipmentID:
		return journal.Command{}, fmt.Errorf("item %d is of another shipment here", at.Index)
	}
	if at.ServiceID != "" {
		c = c.WithService(at.ServiceID)
	}
	return journal.Command{
		ShipmentID: at.ShipmentID, Input: c.Input, Key: at.Key, First: at.First, Hash: c.Hash,
		SellerID: f.SellerID, AuthType: f.AuthType, AuthID: f.AuthID,
		CorrelationID: f.CorrelationID, CausationID: f.CausationID, TraceParent: f.TraceParent,
	}, nil
}

// forwardedResult is the result of one command; a response has them in the order of the commands.
type forwardedResult struct {
	// Error is empty for a receipt, else a name in wireErrors.
	Error  string `json:"error,omitempty"`
	Detail string `json:"detail,omitempty"`

	ShipmentID string           `json:"shipmentId,omitempty"`
	Version    uint64           `json:"version,omitempty"`
	Lane       int32            `json:"lane"`
	Offset     int64            `json:"offset"`
	Outcome    ledgerv1.Outcome `json:"outcome,omitempty"`
	Reason     shipment.Code    `json:"reason,omitempty"`
	Message    string           `json:"message,omitempty"`
	Repeated   bool             `json:"repeated,omitempty"`
}

// The names of errors, on the wire and as labels.
const (
	reasonNotOwner = "not_owner"
	reasonMoving   = "lane_moving"
	reasonFenced   = "fenced"
	reasonInDoubt  = "in_doubt"
	reasonInvalid  = "invalid"
	reasonVersions = "versions"
)

// reasonOwnerUnreachable labels a try that sent nothing: the owner advertises no URL, or this instance has no secret.
const reasonOwnerUnreachable = "owner_unreachable"

// wireErrors is the one table from names on the wire to errors. A name that is not in it comes from a newer version,
// and counts as in doubt.
var wireErrors = map[string]error{ //nolint:gochecknoglobals // A table.
	reasonNotOwner: journal.ErrNotOwner, reasonMoving: journal.ErrLaneMoving, reasonFenced: journal.ErrFenced,
	reasonInDoubt: journal.ErrInDoubt, reasonInvalid: journal.ErrInvalid, reasonVersions: ErrVersions,
}

// errorName returns the name of a result's error. An error without one counts as in doubt, since nothing proves that
// the command was not stored.
func errorName(err error) string {
	for name, known := range wireErrors {
		if errors.Is(err, known) {
			return name
		}
	}
	return reasonInDoubt
}

func toWire(r Result) forwardedResult {
	if r.Err != nil {
		return forwardedResult{Error: errorName(r.Err), Detail: r.Err.Error()}
	}
	return forwardedResult{
		ShipmentID: r.Receipt.ShipmentID, Version: r.Receipt.Version, Lane: r.Receipt.Lane, Offset: r.Receipt.Offset,
		Outcome: r.Receipt.Outcome, Reason: r.Receipt.Reason, Message: r.Receipt.Message, Repeated: r.Receipt.Repeated,
	}
}

func (r forwardedResult) result() Result {
	if r.Error != "" {
		err, known := wireErrors[r.Error]
		if !known {
			err = journal.ErrInDoubt
		}
		return Result{Err: fmt.Errorf("%w, says its owner: %s", err, r.Detail)}
	}
	return Result{Receipt: journal.Receipt{
		ShipmentID: r.ShipmentID, Version: r.Version, Lane: r.Lane, Offset: r.Offset,
		Outcome: r.Outcome, Reason: r.Reason, Message: r.Message, Repeated: r.Repeated,
	}}
}
