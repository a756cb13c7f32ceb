package emitter

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Channels says how each seller's channel speaks to fulfilment systems.
type Channels struct {
	// Default is for sellers that are not listed.
	Default Channel
	// Sellers are the settings of single sellers, by seller id. They replace the default as a whole.
	Sellers map[string]Channel
}

// Channel is what a seller's configuration says of its messages. Its zero value works.
//
// A change of it changes what repeats look like, and locationCode and channelName are part of a suborder's identity at
// the receiver: change those only when nothing is under way.
type Channel struct {
	// Name is the channelName. Empty means the source that the marketplace's notification named.
	Name string
	// LocationID is the locationCode of shipments that name no location. Empty means null.
	LocationID string
	// Currency is orderCustomAttributes.currency. Empty means what the extension says, or none.
	Currency string
	// Country is the country of addresses that name none. Empty means null.
	Country string
	// RequiredWithin is the time from the creation until requiredBy where no dispatch date is known. Zero means null,
	// which is counted: the field is mandatory.
	RequiredWithin time.Duration
	// SKUField is the item's field that is the channel's SKU code. Empty means sku. Where it is unknown, the others stand
	// in: sku, fsn, listingId.
	SKUField SKUField
	// SKUs maps the channel's SKU codes to those of the fulfilment system.
	SKUs map[string]SKU
	// PriceBasis says whether the marketplace's prices are of the line or of one unit. Empty means line.
	PriceBasis PriceBasis
	// MergeItems makes one line of items with equal SKU and price.
	MergeItems bool
}

// SKU is what the fulfilment system calls a channel's SKU. Empty fields are not mapped.
type SKU struct {
	// Client is the clientSkuId.
	Client string
	// Channel replaces the channelSkuCode.
	Channel string
	// Barcode of the product.
	Barcode string
}

// SKUField names an identifying field of an item.
type SKUField string

// The fields that can be the channel's SKU code.
const (
	SKUFieldSKU       SKUField = "sku"
	SKUFieldListingID SKUField = "listingId"
	SKUFieldFSN       SKUField = "fsn"
)

// PriceBasis says what the marketplace's prices are of.
type PriceBasis string

// What a price can be of.
const (
	PricePerLine PriceBasis = "line"
	PricePerUnit PriceBasis = "unit"
)

// Of returns the settings of a seller.
func (c *Channels) Of(sellerID string) *Channel {
	if own, ok := c.Sellers[sellerID]; ok {
		return &own
	}
	return &c.Default
}

// Validate reports every problem at once.
func (c *Channels) Validate() error {
	problems := []error{c.Default.validate("default channel")}
	for seller, channel := range c.Sellers {
		problems = append(problems, channel.validate("channel of seller "+seller))
	}
	return errors.Join(problems...)
}

func (c *Channel) validate(of string) error {
	var problems []error
	switch c.SKUField {
	case "", SKUFieldSKU, SKUFieldListingID, SKUFieldFSN:
	default:
		problems = append(problems, fmt.Errorf("%s: sku field %q is not sku, listingId or fsn", of, c.SKUField))
	}
	switch c.PriceBasis {
	case "", PricePerLine, PricePerUnit:
	default:
		problems = append(problems, fmt.Errorf("%s: price basis %q is not line or unit", of, c.PriceBasis))
	}
	if c.RequiredWithin < 0 {
		problems = append(problems, fmt.Errorf("%s: required within must not be negative", of))
	}
	for name, text := range map[string]string{
		"name": c.Name, "location": c.LocationID, "currency": c.Currency, "country": c.Country,
	} {
		if len(text) > maxTextRunes {
			problems = append(problems, fmt.Errorf("%s: %s is longer than %d bytes", of, name, maxTextRunes))
		}
	}
	return errors.Join(problems...)
}

func (c *Channel) skuOf(d *ledgerv1.ItemDetails) string {
	var first string
	switch c.SKUField {
	case SKUFieldListingID:
		first = d.GetListingId()
	case SKUFieldFSN:
		first = d.GetFsn()
	case SKUFieldSKU:
	}
	return cmp.Or(first, d.GetSku(), d.GetFsn(), d.GetListingId())
}

// perUnit divides the price of a line by its original units, to the nearest minor unit, halves away from zero.
func (c *Channel) perUnit(minor *int64, units uint32, digits int) amount {
	switch {
	case minor == nil:
		return amount{}
	case c.PriceBasis == PricePerUnit:
		return amount{minor: *minor, digits: digits, known: true}
	case units == 0:
		return amount{}
	}
	n := int64(units)
	quotient, rest := *minor/n, *minor%n
	if size := max(rest, -rest); size >= n-size {
		if *minor < 0 {
			quotient--
		} else {
			quotient++
		}
	}
	return amount{minor: quotient, digits: digits, known: true}
}
