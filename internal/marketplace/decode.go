package marketplace

import (
	"fmt"

	"github.com/orderledger/orderledger/internal/shipment"
)

// Decode returns the decoder of inbox records: it reads a notification's body again, as it concerns one shipment of one
// seller. It has the type of journal.Deps.Decode. An error means that another program, or another version of this one,
// wrote the record: ingest stores only bodies that it could read.
func Decode(settings Settings) func(shipmentID, sellerID string, body []byte) (shipment.Input, error) {
	return func(shipmentID, sellerID string, body []byte) (shipment.Input, error) {
		n, err := ParseNotification(body, settings)
		if err != nil {
			return nil, fmt.Errorf("inbox record of shipment %s: %w", shipmentID, err)
		}
		n = n.For(shipmentID, sellerID)
		return n.Input(), nil
	}
}
