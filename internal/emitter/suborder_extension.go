package emitter

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Extensions hold what a channel knows but the marketplace's notifications have no field for. They are JSON objects,
// one for the shipment and one for each item; every key is optional. A value of the wrong type is ignored and noted,
// and so is a custom attribute that the contract does not have.
//
//	shipment                                    item
//	{                                           {
//	  "orderCustomAttributes": {                  "clientSkuId": "1000889888",
//	    "attribute1": "…", … "attribute10": "…",  "barcode": "51100L",
//	    "channelMetadata": {…},                   "isVirtual": true,
//	    "currency": "INR"                         "externalItemCodes": ["A6D70B2DE36"],
//	  },                                          "giftChargePerUnit": 10,
//	  "virtualSkuDefinitions": [{                 "sellerDiscount": 5,
//	    "virtualParentChannelSkuId": "…",         "channelDiscount": 50,
//	    "virtualParentBarcode": "…",              "orderItemCustomAttributes": {…},
//	    "childSkus": [{"channelSkuCode": "…",     "cancelledQuantity": 1
//	      "barcode": "…", "qty": 2}]            }
//	  }],
//	  "bundledSkuDefinitions": [{
//	    "bundledParentChannelSkuId": "…",
//	    "bundledParentBarcode": "…",
//	    "childSkus": […]
//	  }]
//	}
//
// Amounts are per unit. channelDiscount is used only if the price has no marketplace discount. cancelledQuantity is not
// read here: it says how many units somebody unknown cancelled before the shipment was reported, and the quantities of
// the state already include them.
type shipmentExtension struct {
	attributes       customAttributes
	virtual, bundled []skuDefinition
}

type itemExtension struct {
	clientSKU, barcode         string
	isVirtual                  bool
	externalItemCodes          []string
	giftCharge, sellerDiscount number
	channelDiscount            amount
	attributes                 customAttributes
}

// customAttributes are the custom attributes of an order or of an item.
type customAttributes struct {
	// numbered holds attribute1 to attribute10; empty ones are not set.
	numbered [10]string
	// metadata is channelMetadata: a compact JSON object, or nil.
	metadata []byte
	currency string
}

// skuDefinition lists the components of a virtual or bundled SKU.
type skuDefinition struct {
	parentSKU, parentBarcode string
	children                 []childSKU
}

type childSKU struct {
	sku, barcode string
	quantity     *int64
}

func readShipmentExtension(text string, notes *Notes) (x shipmentExtension) {
	readFields(text, notes, func(key string, value json.RawMessage) bool {
		switch key {
		case "orderCustomAttributes":
			return x.attributes.read(value)
		case "virtualSkuDefinitions":
			var definitions []struct {
				Parent   string      `json:"virtualParentChannelSkuId"`
				Barcode  string      `json:"virtualParentBarcode"`
				Children []childJSON `json:"childSkus"`
			}
			if json.Unmarshal(value, &definitions) != nil {
				return false
			}
			for _, d := range definitions {
				x.virtual = append(x.virtual, skuDefinition{d.Parent, d.Barcode, children(d.Children)})
			}
			return true
		case "bundledSkuDefinitions":
			var definitions []struct {
				Parent   string      `json:"bundledParentChannelSkuId"`
				Barcode  string      `json:"bundledParentBarcode"`
				Children []childJSON `json:"childSkus"`
			}
			if json.Unmarshal(value, &definitions) != nil {
				return false
			}
			for _, d := range definitions {
				x.bundled = append(x.bundled, skuDefinition{d.Parent, d.Barcode, children(d.Children)})
			}
			return true
		default: // Other consumers have keys of their own.
			return true
		}
	})
	return x
}

func readItemExtension(text string, notes *Notes) (x itemExtension) {
	readFields(text, notes, func(key string, value json.RawMessage) bool {
		switch key {
		case "clientSkuId":
			return readValue(value, &x.clientSKU)
		case "barcode":
			return readValue(value, &x.barcode)
		case "isVirtual":
			return readValue(value, &x.isVirtual)
		case "externalItemCodes":
			return readValue(value, &x.externalItemCodes)
		case "giftChargePerUnit":
			return x.giftCharge.read(value)
		case "sellerDiscount":
			return x.sellerDiscount.read(value)
		case "channelDiscount":
			var discount number
			ok := discount.read(value)
			x.channelDiscount = amount{literal: discount, known: discount != ""}
			return ok
		case "orderItemCustomAttributes":
			return x.attributes.read(value)
		default:
			return true
		}
	})
	return x
}

// readFields calls read for each field of a JSON object. A null counts as absent.
func readFields(text string, notes *Notes, read func(key string, value json.RawMessage) (ok bool)) {
	if text == "" {
		return
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		*notes |= NoteExtensionIgnored
		return
	}
	for key, value := range fields {
		if string(value) != "null" && !read(key, value) {
			*notes |= NoteExtensionIgnored
		}
	}
}

func (a *customAttributes) read(object json.RawMessage) bool {
	var notes Notes
	readFields(string(object), &notes, func(key string, value json.RawMessage) bool {
		switch key {
		case "currency":
			return readValue(value, &a.currency)
		case "channelMetadata":
			var compact bytes.Buffer
			if value[0] != '{' || json.Compact(&compact, value) != nil {
				return false
			}
			a.metadata = compact.Bytes()
			return true
		default:
			digits, found := strings.CutPrefix(key, "attribute")
			n, err := strconv.Atoi(digits)
			if !found || err != nil || n < 1 || n > len(a.numbered) || digits != strconv.Itoa(n) {
				return false
			}
			return readValue(value, &a.numbered[n-1])
		}
	})
	return notes == 0
}

// readValue sets a field only if the whole value has the type of the field.
func readValue[T any](value json.RawMessage, field *T) bool {
	// Unmarshal may set a part of its target before it fails.
	var whole T
	if json.Unmarshal(value, &whole) != nil {
		return false
	}
	*field = whole
	return true
}

type childJSON struct {
	SKU      string `json:"channelSkuCode"`
	Barcode  string `json:"barcode"`
	Quantity *int64 `json:"qty"`
}

func children(list []childJSON) []childSKU {
	out := make([]childSKU, len(list))
	for i, c := range list {
		out[i] = childSKU{c.SKU, c.Barcode, c.Quantity}
	}
	return out
}

// number is a JSON number in its shortest form; empty means unknown.
type number string

// maxNumber is the largest number up to which every JSON parser keeps integers exact.
const maxNumber = 1 << 53

func (n *number) read(value json.RawMessage) bool {
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || math.Abs(f) > maxNumber {
		return false
	}
	if f == 0 {
		f = 0 // FormatFloat would write minus zero as "-0".
	}
	*n = number(strconv.FormatFloat(f, 'f', -1, 64))
	return true
}
