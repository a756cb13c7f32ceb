package emitter

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// line is one entry of orderItems: an item, or several items with the same terms if the channel merges them.
type line struct {
	terms
	orderItemCodes    []string
	externalItemCodes []string
	attributes        customAttributes
	shippingCharge    amount // For the whole line.

	ordered, cancelled, fulfilled   uint32
	byCustomer, bySeller, byUnknown uint32
	wasFulfilled                    bool // Units were shipped at some time.
}

// terms are the product and its price per unit.
type terms struct {
	clientSKU, channelSKU, barcode string
	sellingPrice, channelDiscount  amount
	giftCharge, sellerDiscount     number
	isVirtual                      bool
}

func newLines(items []*ledgerv1.Item, c *Channel, notes *Notes) []line {
	lines := make([]line, 0, len(items))
	for _, item := range items {
		l := newLine(item, c, notes)
		if c.MergeItems {
			if i := slices.IndexFunc(lines, func(other line) bool { return other.mergesWith(&l) }); i >= 0 {
				lines[i].merge(&l)
				continue
			}
		}
		lines = append(lines, l)
	}
	return lines
}

func newLine(item *ledgerv1.Item, c *Channel, notes *Notes) line {
	details := item.GetDetails()
	price := details.GetPrice()
	extension := readItemExtension(details.GetExtensionsJson(), notes)
	code := c.skuOf(details)
	sku := c.SKUs[code]
	if code == "" {
		*notes |= NoteSKUUnknown
	}
	l := line{
		terms: terms{
			clientSKU:       cmp.Or(sku.Client, extension.clientSKU, code),
			channelSKU:      cmp.Or(sku.Channel, code),
			barcode:         cmp.Or(sku.Barcode, extension.barcode),
			channelDiscount: extension.channelDiscount,
			giftCharge:      extension.giftCharge,
			sellerDiscount:  extension.sellerDiscount,
			isVirtual:       extension.isVirtual,
		},
		orderItemCodes:    []string{item.GetOrderItemId()},
		externalItemCodes: extension.externalItemCodes,
		attributes:        extension.attributes,
	}
	if price != nil {
		digits := marketplace.MinorDigits(price.GetCurrency())
		l.sellingPrice = c.perUnit(price.SellingMinor, item.GetOrdered(), digits)
		if price.MarketplaceDiscountMinor != nil {
			l.channelDiscount = c.perUnit(price.MarketplaceDiscountMinor, item.GetOrdered(), digits)
		}
		if price.ShippingMinor != nil {
			l.shippingCharge = amount{minor: *price.ShippingMinor, digits: digits, known: true}
		}
	}
	l.count(item, notes)
	return l
}

// count sets the quantities. It keeps cancelled + fulfilled within ordered even if the state contradicts itself: a
// receiver may refuse a message that breaks this rule, and all later messages of the suborder would wait behind it.
func (l *line) count(item *ledgerv1.Item, notes *Notes) {
	l.ordered = item.GetOrdered()
	l.bySeller = item.GetCancelledSeller()
	l.byCustomer = item.GetCancelledCustomer() + item.GetCancelledMarketplace()
	l.byUnknown = item.GetCancelledUnknown()
	l.cancelled = l.bySeller + l.byCustomer + l.byUnknown
	if l.cancelled > l.ordered {
		// The split would not add up, so it is unknown.
		l.cancelled, l.byUnknown, l.bySeller = l.ordered, 1, min(l.bySeller, l.ordered)
		*notes |= NoteQuantityBounded
	}
	// Shipped units include those that were cancelled after shipping, and some of these may have been revived since.
	shipped := int64(item.GetShipped())
	for _, c := range item.GetCancellations() {
		if c.GetAfterShipped() {
			shipped -= int64(c.GetUnits()) - int64(c.GetRevived())
		}
	}
	fulfilled := min(max(shipped, 0), int64(l.ordered-l.cancelled))
	if fulfilled != shipped {
		*notes |= NoteQuantityBounded
	}
	l.fulfilled, l.wasFulfilled = uint32(fulfilled), item.GetShipped() > 0
}

// mergesWith reports whether two lines differ only in quantities, codes and shipping charges.
func (l *line) mergesWith(other *line) bool {
	return l.channelSKU != "" && l.terms == other.terms && l.attributes.equal(&other.attributes) &&
		l.shippingCharge.known == other.shippingCharge.known && l.shippingCharge.digits == other.shippingCharge.digits
}

func (l *line) merge(other *line) {
	l.orderItemCodes = append(l.orderItemCodes, other.orderItemCodes...)
	l.externalItemCodes = slices.Concat(l.externalItemCodes, other.externalItemCodes)
	l.ordered += other.ordered
	l.cancelled += other.cancelled
	l.byCustomer += other.byCustomer
	l.bySeller += other.bySeller
	l.byUnknown += other.byUnknown
	l.byUnknown += other.byUnknown
	l.fulfilled += other.fulfilled
	l.wasFulfilled = l.wasFulfilled || other.wasFulfilled
	l.shippingCharge.minor += other.shippingCharge.minor
}

func (a *customAttributes) equal(b *customAttributes) bool {
	return a.numbered == b.numbered && a.currency == b.currency && bytes.Equal(a.metadata, b.metadata)
}
