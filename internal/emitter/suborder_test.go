package emitter

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// lineOf translates a shipment with one item and returns its line.
func lineOf(t testing.TB, item *ledgerv1.Item, c Channel) (bodyLine, Notes) {
	t.Helper()
	item.OrderItemId = "i1"
	s := twoItems(func(s *ledgerv1.Shipment) { s.Items = []*ledgerv1.Item{item} })
	m, ok := Translate(recorded(created(s)), Profile752255250(), &c)
	require.True(t, ok)
	return decodeBody(t, m.Body).OrderItems[0], m.Notes
}

func TestSuborderQuantities(t *testing.T) {
	t.Parallel()
	after := func(units, revived uint32) []*ledgerv1.Cancellation {
		return []*ledgerv1.Cancellation{{Units: units, Revived: revived, AfterShipped: true}}
	}
	for name, test := range map[string]struct {
		item                        *ledgerv1.Item
		cancelled                   int64
		customer, seller, fulfilled *int64
		bounded                     bool
	}{
		"nothing happened": {item: &ledgerv1.Item{Ordered: 5}, customer: new(int64(0))},
		"by both": {
			item:      &ledgerv1.Item{Ordered: 5, CancelledSeller: 4, CancelledCustomer: 1},
			cancelled: 5, customer: new(int64(1)), seller: new(int64(4)),
		},
		"the marketplace counts as the customer": {
			item:      &ledgerv1.Item{Ordered: 5, CancelledMarketplace: 2, CancelledCustomer: 1},
			cancelled: 3, customer: new(int64(3)),
		},
		"partly by somebody unknown": {
			item:      &ledgerv1.Item{Ordered: 5, CancelledSeller: 2, CancelledUnknown: 1},
			cancelled: 3, seller: new(int64(2)),
		},
		"by somebody unknown": {item: &ledgerv1.Item{Ordered: 5, CancelledUnknown: 1}, cancelled: 1},
		"the rest shipped": {
			item:      &ledgerv1.Item{Ordered: 5, CancelledSeller: 2, Shipped: 3},
			cancelled: 2, customer: new(int64(0)), seller: new(int64(2)), fulfilled: new(int64(3)),
		},
		"cancelled after it was shipped": {
			item:      &ledgerv1.Item{Ordered: 5, CancelledCustomer: 2, Shipped: 5, Cancellations: after(2, 0)},
			cancelled: 2, customer: new(int64(2)), fulfilled: new(int64(3)),
		},
		"cancelled after it was shipped, and revived": {
			item:     &ledgerv1.Item{Ordered: 5, Shipped: 5, Cancellations: after(2, 2)},
			customer: new(int64(0)), fulfilled: new(int64(5)),
		},
		"all of it cancelled after it was shipped": {
			item:      &ledgerv1.Item{Ordered: 2, CancelledCustomer: 2, Shipped: 2, Cancellations: after(2, 0)},
			cancelled: 2, customer: new(int64(2)), fulfilled: new(int64(0)),
		},
		"a state that contradicts itself": {
			item:      &ledgerv1.Item{Ordered: 2, CancelledSeller: 3, Shipped: 2},
			cancelled: 2, seller: new(int64(2)), fulfilled: new(int64(0)), bounded: true,
		},
		"more shipped than there are": {
			item:      &ledgerv1.Item{Ordered: 2, CancelledSeller: 1, Shipped: 2},
			cancelled: 1, customer: new(int64(0)), seller: new(int64(1)), fulfilled: new(int64(1)), bounded: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, notes := lineOf(t, test.item, Channel{})
			require.Equal(t, int64(test.item.Ordered), l.OrderedQuantity)
			require.Equal(t, test.cancelled, l.CancelledQuantity)
			require.Equal(t, test.customer, l.CustomerCancelledQty)
			require.Equal(t, test.seller, l.SellerCancelledQty)
			require.Equal(t, test.fulfilled, l.FulfilledQuantity)
			require.Equal(t, test.bounded, notes&NoteQuantityBounded != 0)
		})
	}
}

func TestSuborderPrices(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		selling  int64
		units    uint32
		currency string
		basis    PriceBasis
		want     json.Number
	}{
		"whole":                       {100000, 2, "INR", PricePerLine, "500"},
		"half a unit of money":        {6450, 3, "INR", "", "21.5"},
		"paise":                       {5, 1, "INR", PricePerLine, "0.05"},
		"rounded down":                {100000, 3, "INR", PricePerLine, "333.33"},
		"rounded up":                  {200000, 3, "INR", PricePerLine, "666.67"},
		"a half goes up":              {101, 2, "INR", PricePerLine, "0.51"},
		"negative, away from zero":    {-101, 2, "INR", PricePerLine, "-0.51"},
		"nothing":                     {0, 2, "INR", PricePerLine, "0"},
		"given per unit":              {100000, 2, "INR", PricePerUnit, "1000"},
		"a currency without minor":    {1001, 2, "JPY", PricePerLine, "501"},
		"a currency with thousandths": {1250, 1, "KWD", PricePerLine, "1.25"},
		"the largest":                 {9223372036854775807, 1, "INR", PricePerLine, "92233720368547758.07"},
		"the smallest":                {-9223372036854775808, 1, "INR", PricePerLine, "-92233720368547758.08"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			price := &ledgerv1.Price{
				Currency: test.currency, SellingMinor: &test.selling,
				MarketplaceDiscountMinor: &test.selling, ShippingMinor: &test.selling,
			}
			item := &ledgerv1.Item{Ordered: test.units, Details: &ledgerv1.ItemDetails{Price: price}}
			l, _ := lineOf(t, item, Channel{PriceBasis: test.basis})
			require.Equal(t, test.want, *l.SellingPricePerUnit)
			require.Equal(t, test.want, *l.ChannelDiscount)
		})
	}
	l, _ := lineOf(t, &ledgerv1.Item{Ordered: 1, Details: &ledgerv1.ItemDetails{Price: &ledgerv1.Price{}}}, Channel{})
	require.Nil(t, l.SellingPricePerUnit)
	require.Nil(t, l.ShippingCharge)
	l, _ = lineOf(t, &ledgerv1.Item{Details: &ledgerv1.ItemDetails{Price: &ledgerv1.Price{
		SellingMinor: new(int64(7)), ShippingMinor: new(int64(4500)),
	}}}, Channel{})
	require.Nil(t, l.SellingPricePerUnit, "without ordered units there is no price per unit")
	require.Equal(t, json.Number("45"), *l.ShippingCharge, "shipping is for the whole line")
}

func TestSuborderSKUs(t *testing.T) {
	t.Parallel()
	details := &ledgerv1.ItemDetails{Sku: "S", Fsn: "F", ListingId: "L", ExtensionsJson: `{"clientSkuId":"X","barcode":"XB"}`}
	item := func() *ledgerv1.Item { return &ledgerv1.Item{Ordered: 1, Details: details} }
	for name, test := range map[string]struct {
		channel                  Channel
		channelSKU, client, code string
	}{
		"the sku":     {Channel{}, "S", "X", "XB"},
		"the listing": {Channel{SKUField: SKUFieldListingID}, "L", "X", "XB"},
		"the fsn":     {Channel{SKUField: SKUFieldFSN}, "F", "X", "XB"},
		"a mapping":   {Channel{SKUs: map[string]SKU{"S": {Client: "M", Barcode: "MB"}}}, "S", "M", "MB"},
		"both mapped": {Channel{SKUs: map[string]SKU{"S": {Client: "M", Channel: "CS"}}}, "CS", "M", "XB"},
		"other SKU":   {Channel{SKUs: map[string]SKU{"T": {Client: "M"}}}, "S", "X", "XB"},
		"by listing":  {Channel{SKUField: SKUFieldListingID, SKUs: map[string]SKU{"L": {Client: "M"}}}, "L", "M", "XB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, _ := lineOf(t, item(), test.channel)
			require.Equal(t, test.channelSKU, *l.ChannelSkuCode)
			require.Equal(t, test.client, *l.ClientSkuID)
			require.Equal(t, test.code, *l.Barcode)
		})
	}
}

func TestSuborderMergeItems(t *testing.T) {
	t.Parallel()
	s := twoItems(func(s *ledgerv1.Shipment) {
		for i, item := range s.Items {
			item.Details = &ledgerv1.ItemDetails{Sku: "same", Price: &ledgerv1.Price{
				SellingMinor: new(int64(2000)), ShippingMinor: new(int64(150)),
			}}
			item.CancelledSeller = uint32(i)
			item.Details.ExtensionsJson = `{"externalItemCodes":["e` + item.OrderItemId + `"]}`
		}
		third := s.Items[0].CloneVT()
		third.OrderItemId, third.Details.Price.SellingMinor = "i3", new(int64(1))
		s.Items = append(s.Items, third)
	})
	m, _ := Translate(recorded(created(s)), Profile752255250(), &Channel{})
	require.Len(t, decodeBody(t, m.Body).OrderItems, 3, "one line per item is the default")

	m, _ = Translate(recorded(created(s)), Profile752255250(), &Channel{MergeItems: true})
	lines := decodeBody(t, m.Body).OrderItems
	require.Len(t, lines, 2)
	require.Equal(t, []string{"i1", "i2"}, lines[0].OrderItemCodes)
	require.Equal(t, []string{"ei1", "ei2"}, lines[0].ExternalItemCodes)
	require.Equal(t, int64(4), lines[0].OrderedQuantity)
	require.Equal(t, int64(1), lines[0].CancelledQuantity)
	require.Equal(t, int64(1), *lines[0].SellerCancelledQty)
	require.Equal(t, json.Number("10"), *lines[0].SellingPricePerUnit)
	require.Equal(t, json.Number("3"), *lines[0].ShippingCharge)
	require.Equal(t, []string{"i3"}, lines[1].OrderItemCodes)

	s.Items[1].CancelledUnknown = 1
	m, _ = Translate(recorded(created(s)), Profile752255250(), &Channel{MergeItems: true})
	merged := decodeBody(t, m.Body).OrderItems[0]
	require.Nil(t, merged.CustomerCancelledQty, "it is unknown who cancelled one of the merged units")
	require.Equal(t, int64(1), *merged.SellerCancelledQty)
}

func TestSuborderExtensions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		item, attributes string
		noted            bool
	}{
		"nothing":             {``, `{}`, false},
		"nulls":               {`{"barcode":null,"orderItemCustomAttributes":null,"giftChargePerUnit":null}`, `{}`, false},
		"unknown keys":        {`{"somebody":"else's"}`, `{}`, false},
		"not an object":       {`[1]`, `{}`, true},
		"not JSON":            {`{"a"`, `{}`, true},
		"a number for a text": {`{"barcode":5}`, `{}`, true},
		"a text for a number": {`{"giftChargePerUnit":"5"}`, `{}`, true},
		"a number too large":  {`{"giftChargePerUnit":1e300}`, `{}`, true},
		"half a list":         {`{"externalItemCodes":["a",1]}`, `{}`, true},
		"a mixed list of attributes": {
			`{"orderItemCustomAttributes":{"attribute10":"x","attribute8":"y","attribute11":"z","attribute01":"q","other":"o"}}`,
			`{"attribute8":"y","attribute10":"x"}`, true,
		},
		"metadata in its own order": {
			`{"orderItemCustomAttributes":{"currency":"INR","channelMetadata":{"b": [1, 2.50], "a": null}}}`,
			`{"channelMetadata":{"b":[1,2.50],"a":null},"currency":"INR"}`, false,
		},
		"metadata that is not an object": {`{"orderItemCustomAttributes":{"channelMetadata":"x"}}`, `{}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, notes := lineOf(t, &ledgerv1.Item{Ordered: 1, Details: &ledgerv1.ItemDetails{Sku: "s", ExtensionsJson: test.item}}, Channel{})
			require.Equal(t, test.noted, notes&NoteExtensionIgnored != 0)
			require.Equal(t, test.attributes, string(l.OrderItemCustomAttributes))
			require.Nil(t, l.Barcode)
			require.Nil(t, l.GiftChargePerUnit)
			require.Empty(t, l.ExternalItemCodes)
			require.NotNil(t, l.ExternalItemCodes, "unknown is an empty list, not null")
		})
	}
}

func TestSuborderDiscountPrecedence(t *testing.T) {
	t.Parallel()
	details := &ledgerv1.ItemDetails{ExtensionsJson: `{"channelDiscount":7.50,"sellerDiscount":-0.0}`}
	l, _ := lineOf(t, &ledgerv1.Item{Ordered: 2, Details: details}, Channel{})
	require.Equal(t, json.Number("7.5"), *l.ChannelDiscount)
	require.Equal(t, json.Number("0"), *l.SellerDiscount)
	details.Price = &ledgerv1.Price{MarketplaceDiscountMinor: new(int64(600))}
	l, _ = lineOf(t, &ledgerv1.Item{Ordered: 2, Details: details}, Channel{})
	require.Equal(t, json.Number("3"), *l.ChannelDiscount)
}

func TestChannelsValidate(t *testing.T) {
	t.Parallel()
	channels := Channels{
		Default: Channel{SKUField: "ean", PriceBasis: "kilo"},
		Sellers: map[string]Channel{"s1": {RequiredWithin: -1}},
	}
	err := channels.Validate()
	require.ErrorContains(t, err, `sku field "ean"`)
	require.ErrorContains(t, err, `price basis "kilo"`)
	require.ErrorContains(t, err, "seller s1")
	require.NoError(t, (&Channels{}).Validate())
	require.Equal(t, "kilo", string(channels.Of("unlisted").PriceBasis))
	require.Empty(t, channels.Of("s1").PriceBasis, "the settings of a seller replace the default as a whole")
}
