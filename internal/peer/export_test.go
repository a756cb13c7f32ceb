package peer

import (
	"context"
	"encoding/hex"

	"github.com/orderledger/orderledger/internal/marketplace"
)

// ForwardDispatch forwards the items of a dispatch call to an owner under these keys, as a Router does. It sends the
// hashes that the function hash returns instead of the items' own.
func (c *Client) ForwardDispatch(
	ctx context.Context, url, sellerID string, body []byte, keys []string, hash func(i int, own string) string,
) ([]Result, error) {
	read, err := marketplace.ReadCall("dispatch", "", body, marketplace.DefaultSettings())
	if err != nil {
		return nil, err
	}
	f := &forward{Action: "dispatch", SellerID: sellerID, AuthType: "seller", AuthID: sellerID, body: body}
	for i, c := range read {
		f.Commands = append(f.Commands, forwardedCommand{
			Index: i, ShipmentID: c.ShipmentID, Key: keys[i], Hash: hash(i, hex.EncodeToString(c.Hash[:])),
		})
	}
	return c.forward(ctx, url, f)
}
