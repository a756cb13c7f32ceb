package marketplace

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// The routes that are not among Actions.
const (
	// RouteUpdate is the seller call that names its shipment in the path; see ReadUpdate.
	RouteUpdate = "self_ship_update"
	// RoutePacking is the call of the packing worker: no seller can make it. See EncodePacking.
	RoutePacking = "complete_packing"
)

// ReadCall reads the body of a call into its commands, in the order of the items. route is the name of an action or one
// of the constants above; pathID is the shipment that the path names, empty where the body names it.
//
// Instances of ingest forward calls to each other unchanged and read them with this one function, so there is no second
// form of a command that could drift from the first.
func ReadCall(route, pathID string, body []byte, settings Settings) ([]Command, error) {
	switch route {
	case RouteUpdate:
		c, err := ReadUpdate(pathID, body, settings)
		return []Command{c}, err
	case RoutePacking:
		c, err := readPacking(pathID, body)
		return []Command{c}, err
	}
	for _, action := range Actions() {
		if action.Name == route {
			return action.Read(body, settings)
		}
	}
	return nil, fmt.Errorf("route %q: unknown here", route)
}

// EncodePacking returns the body of a RoutePacking call: the revision in four bytes, most significant first, then the
// packing in Protobuf.
func EncodePacking(revision uint32, packing *ledgerv1.Packing) ([]byte, error) {
	text, err := packing.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode packing: %w", err)
	}
	return append(binary.BigEndian.AppendUint32(nil, revision), text...), nil
}

// readPacking reads a packing result that was forwarded to the owner of the lane. Its revision comes first and alone,
// because a result for an older revision is stale whatever it holds.
func readPacking(shipmentID string, body []byte) (Command, error) {
	if len(body) < 4 || shipmentID == "" {
		return Command{}, errors.New("decode packing: no shipment or no revision")
	}
	revision, packing := binary.BigEndian.Uint32(body), new(ledgerv1.Packing)
	if err := packing.UnmarshalVT(body[4:]); err != nil {
		return Command{}, fmt.Errorf("decode packing: %w", err)
	}
	return PackingCommand(shipmentID, revision, packing), nil
}

// PackingCommand completes the packing of a revision. Its hash covers the request and not the packing: the packing
// follows from the request, and rendering it twice must not look like two intentions under one key.
func PackingCommand(shipmentID string, revision uint32, packing *ledgerv1.Packing) Command {
	return Command{
		ID: shipmentID, ShipmentID: shipmentID, Input: shipment.CompletePacking{Revision: revision, Packing: packing},
		Hash: sha256.Sum256(fmt.Appendf(nil, "packing/%s/%d", shipmentID, revision)),
	}
}
