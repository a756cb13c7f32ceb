package emitter

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Channels holds the settings of the sellers' channels.
type Channels struct {
	// Default applies to sellers that are not listed.
	Default Channel
	// Sellers holds the settings of individual sellers, by seller id. They replace Default as a whole.
	Sellers map[string]Channel
}

// Channel configures the messages of a seller. Its zero value works.
//
// After a change, repeated messages differ from the originals. Receivers identify a suborder by locationCode and
// channelName too, so change Name and LocationID only while no suborder is in progress.
type Channel struct {
	// Name is the channelName. Empty means the source named by the marketplace's notification.
	Name string
	// LocationID is the locationCode of shipments without a location. Empty means null.
	LocationID string
	// Currency is orderCustomAttributes.currency. Empty means the currency of the extension, if it has one.
	Currency string
	// Country is the country of addresses without one. Empty means null.
	Country string
	// RequiredWithin is the time from creation to requiredBy if the shipment has no dispatch date. Zero means null, which
	// is counted as a deviation, because the field is mandatory.
	RequiredWithin time.Duration
	// SKUField is the field of an item that holds the channel's SKU code. Empty means sku. If that field is unknown, the
	// first known one of sku, fsn and listingId is used.
	SKUField SKUField
	// SKUs maps the channel's SKU codes to those of the fulfilment system.
	SKUs map[string]SKU
	// PriceBasis says whether the marketplace's prices are for a line or for one unit. Empty means line.
	PriceBasis PriceBasis
	// MergeItems merges items with equal SKU and price into one line.
	MergeItems bool
}

// SKU maps a channel's SKU code to the codes of the fulfilment system. Empty fields are not mapped.
type SKU struct {
	// Client is the clientSkuId.
	Client string
	// Channel replaces the channelSkuCode.
	Channel string
	// Barcode is the barcode of the product.
	Barcode string
}

// SKUField names a field of an item that identifies the product.
type SKUField string

// The fields that can hold the channel's SKU code.
const (
	SKUFieldSKU       SKUField = "sku"
	SKUFieldListingID SKUField = "listingId"
	SKUFieldFSN       SKUField = "fsn"
)

// PriceBasis says what a price of the marketplace is for.
type PriceBasis string

// The price bases.
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

// perUnit divides the price of a line by its ordered units. It rounds to the nearest minor unit, and halves away from
// zero.
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
