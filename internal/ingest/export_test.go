package ingest

import (
	"context"
	"encoding/hex"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// ErrVersions is what an owner says that reads a call differently.
var ErrVersions = errVersions

// Forward hands the items of a dispatch to an owner under these keys, as a router does; spoil may change a hash.
func (p *Peers) Forward(ctx context.Context, url, sellerID string, body []byte, keys []string, spoil func(i int, hash string) string) ([]journal.Result, error) {
	var action marketplace.Action
	for _, a := range marketplace.Actions() {
		if a.Name == "dispatch" {
			action = a
		}
	}
	commands, err := action.Read(body, marketplace.DefaultSettings())
	if err != nil {
		return nil, err
	}
	f := &forward{Action: action.Name, SellerID: sellerID, AuthType: authSeller, AuthID: sellerID, body: body}
	for i, c := range commands {
		f.Commands = append(f.Commands, forwardedCommand{
			Index: i, ShipmentID: c.ShipmentID, Key: keys[i], Hash: spoil(i, hex.EncodeToString(c.Hash[:])),
		})
	}
	return p.forward(ctx, url, f)
}

// Wanted tells whether the workers want an event's record, and whether they would make something of it.
func Wanted(rec *kgo.Record, e *ledgerv1.Event) (aliases, hasAliases, packing, asksPacking bool) {
	return aliasInterest.wants()(rec), len(aliasesOf(e)) > 0, packingInterest.wants()(rec), packingAsked(e) > 0
}
