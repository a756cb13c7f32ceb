package importer

import "encoding/json"

// order remembers which shipment a return belongs to: most lines of a return name only the return, and must keep their
// order among the lines of the shipment. Two sellers may have returns of one id.
type order struct {
	shipments map[sellerReturn]string
}

type sellerReturn struct{ sellerID, returnID string }

// key returns the id within which a line keeps its order: its shipment, else its return. A malformed line has none; the
// service refuses it wherever it arrives.
func (o *order) key(body []byte) string {
	var ids struct {
		ShipmentID, ReturnID, SellerID string
		Attributes                     json.RawMessage
	}
	if err := json.Unmarshal(body, &ids); err != nil {
		return ""
	}
	if ids.ShipmentID != "" || ids.ReturnID == "" {
		return ids.ShipmentID
	}
	id := sellerReturn{ids.SellerID, ids.ReturnID}
	if known, ok := o.shipments[id]; ok {
		return known
	}
	var attributes struct{ ReturnItems []struct{ ShipmentID string } }
	if err := json.Unmarshal(ids.Attributes, &attributes); err == nil {
		for _, item := range attributes.ReturnItems {
			if item.ShipmentID != "" {
				o.shipments[id] = item.ShipmentID
				return item.ShipmentID
			}
		}
	}
	return ids.ReturnID
}
