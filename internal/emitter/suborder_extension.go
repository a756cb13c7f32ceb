package emitter

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Extensions are what a channel knows and the marketplace's notifications have no field for. They are two JSON objects,
// one of the shipment and one of each item; every key may be absent. A key of the wrong type is ignored and counted, as
// is a custom attribute that the contract does not have.
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
// Amounts are of one unit. channelDiscount stands in where the price tells no marketplace discount. cancelledQuantity
// is not read here: it says how many units were cancelled before the shipment was told of, by somebody unknown, and is
// in the state's quantities already.
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

// customAttributes are the free fields of an order or of an item.
type customAttributes struct {
	// numbered are attribute1 to attribute10; empty ones are not set.
	numbered [10]string
	// metadata is channelMetadata: a compact JSON object, or nil.
	metadata []byte
	currency string
}

// skuDefinition says what a virtual or bundled SKU is made of.
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
			var told []struct {
				Parent   string      `json:"virtualParentChannelSkuId"`
				Barcode  string      `json:"virtualParentBarcode"`
				Children []childTold `json:"childSkus"`
			}
			if json.Unmarshal(value, &told) != nil {
				return false
			}
			for _, t := range told {
				x.virtual = append(x.virtual, skuDefinition{t.Parent, t.Barcode, children(t.Children)})
			}
			return true
		case "bundledSkuDefinitions":
			var told []struct {
				Parent   string      `json:"bundledParentChannelSkuId"`
				Barcode  string      `json:"bundledParentBarcode"`
				Children []childTold `json:"childSkus"`
			}
			if json.Unmarshal(value, &told) != nil {
				return false
			}
			for _, t := range told {
				x.bundled = append(x.bundled, skuDefinition{t.Parent, t.Barcode, children(t.Children)})
			}
			return true
		default: // Extensions are for others too.
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
			var told number
			ok := told.read(value)
			x.channelDiscount = amount{literal: told, known: told != ""}
			return ok
		case "orderItemCustomAttributes":
			return x.attributes.read(value)
		default:
			return true
		}
	})
	return x
}

// readFields hands each field of a JSON object to read. What is null counts as absent.
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

// readValue sets a field only when the whole value has its type.
func readValue[T any](value json.RawMessage, field *T) bool {
	var told T
	if json.Unmarshal(value, &told) != nil {
		return false
	}
	*field = told
	return true
}

type childTold struct {
	SKU      string `json:"channelSkuCode"`
	Barcode  string `json:"barcode"`
	Quantity *int64 `json:"qty"`
}

func children(told []childTold) []childSKU {
	out := make([]childSKU, len(told))
	for i, t := range told {
		out[i] = childSKU{t.SKU, t.Barcode, t.Quantity}
	}
	return out
}

// number is a JSON number in its shortest form; empty is unknown.
type number string

// maxNumber keeps numbers within what every JSON reader holds exactly.
const maxNumber = 1 << 53

func (n *number) read(value json.RawMessage) bool {
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || math.Abs(f) > maxNumber {
		return false
	}
	if f == 0 {
		f = 0 // Not minus zero.
	}
	*n = number(strconv.FormatFloat(f, 'f', -1, 64))
	return true
}
