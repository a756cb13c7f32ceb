package marketplace

import (
	"strings"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Parts that notifications and seller calls share.

// readSubShipments reads the parcels. title and sku are the names of these members in packages: the marketplace's pages
// print two schemas for a package.
func readSubShipments(r *reader, object int32, title, sku string) []*ledgerv1.SubShipment {
	var out []*ledgerv1.SubShipment
	r.optionalList(object, "subShipments", kindObject, func(i int32) {
		s := &ledgerv1.SubShipment{SubShipmentId: r.optionalID(i, "subShipmentId"), Dimensions: readDimensions(r, i)}
		r.optionalList(i, "packages", kindObject, func(p int32) {
			s.Packages = append(s.Packages, &ledgerv1.Package{
				PackageId: r.optionalID(p, "packageId"), Title: r.text(p, title), Sku: r.text(p, sku),
				Dimensions: readDimensions(r, p),
			})
		})
		out = append(out, s)
	})
	return out
}

// readDimensions reads centimetres and kilograms. It accepts width for breadth, because an old page prints that.
func readDimensions(r *reader, object int32) *ledgerv1.Dimensions {
	i := r.optional(object, "dimensions", kindObject)
	if i == none {
		return nil
	}
	d := &ledgerv1.Dimensions{
		Length: r.number(i, "length"), Breadth: r.number(i, "breadth"),
		Height: r.number(i, "height"), Weight: r.number(i, "weight"),
	}
	if d.GetBreadth() == 0 {
		d.Breadth = r.number(i, "width")
	}
	return d
}

// readForms reads forms[]. A form without a name is left out: acknowledgements refer to forms by name.
func readForms(r *reader, object int32) []*ledgerv1.Form {
	var out []*ledgerv1.Form
	r.optionalList(object, "forms", kindObject, func(i int32) {
		name := r.text(i, "name")
		if name == "" {
			r.leaveOut(i, "no name")
			return
		}
		out = append(out, &ledgerv1.Form{
			Name: name, Link: r.text(i, "link"),
			Automated: r.boolean(i, "automated"), Status: formStatus(r.text(i, "status")),
		})
	})
	return out
}

// formStatus reads the status of a form, which clients and pages spell in several ways. An unknown one stays
// unspecified, because it decides nothing: it is only shown.
func formStatus(s string) ledgerv1.FormStatus {
	switch strings.ToLower(s) {
	case "not created", "not-created", "not_created", "notcreated":
		return ledgerv1.FormStatus_FORM_STATUS_NOT_CREATED
	case "in-progress", "in progress", "in_progress", "inprogress":
		return ledgerv1.FormStatus_FORM_STATUS_IN_PROGRESS
	case "completed":
		return ledgerv1.FormStatus_FORM_STATUS_COMPLETED
	case "failed":
		return ledgerv1.FormStatus_FORM_STATUS_FAILED
	default:
		return ledgerv1.FormStatus_FORM_STATUS_UNSPECIFIED
	}
}

// readServices reads services[], an extension of ours. orderItemID is that of the surrounding line; empty if each
// service names its own.
func readServices(r *reader, object int32, orderItemID string) []shipment.ActivateService {
	var out []shipment.ActivateService
	r.optionalList(object, "services", kindObject, func(i int32) {
		s := shipment.ActivateService{
			ServiceID: r.optionalID(i, "serviceFulfilmentId"), OrderItemID: orderItemID,
			Description: r.text(i, "description"), DueAt: r.optionalDue(i, "serviceByDate"),
		}
		if orderItemID == "" {
			s.OrderItemID = r.optionalID(i, "orderItemId")
		}
		if s.ServiceID == "" || s.OrderItemID == "" {
			r.leaveOut(i, "no serviceFulfilmentId or no orderItemId")
			return
		}
		out = append(out, s)
	})
	return out
}

// readAddress reads an address. Some of its members have two names, depending on the page and the client.
func readAddress(r *reader, object int32, name string) *ledgerv1.Address {
	i := r.optional(object, name, kindObject)
	if i == none {
		return nil
	}
	return &ledgerv1.Address{
		FirstName: r.text(i, "firstName"), LastName: r.text(i, "lastName"),
		Line1: r.either(i, "addressLine1", "address1"), Line2: r.either(i, "addressLine2", "address2"),
		Landmark: r.text(i, "landmark"), City: r.text(i, "city"),
		State: r.either(i, "state", "stateName"), StateCode: r.text(i, "stateCode"),
		Pincode: r.either(i, "pincode", "pinCode"), Phone: r.either(i, "contactNumber", "phone"),
		Email: r.text(i, "email"), Country: r.text(i, "country"),
	}
}

// either reads a member that has two names.
func (r *reader) either(object int32, name, other string) string {
	if s := r.text(object, name); s != "" {
		return s
	}
	return r.text(object, other)
}

// readBuyer reads the buyer, an extension of ours: the marketplace shows buyers only in the shipping details.
func readBuyer(r *reader, extensions int32) *ledgerv1.Buyer {
	i := r.optional(extensions, "buyerDetails", kindObject)
	if i == none {
		return nil
	}
	return &ledgerv1.Buyer{FirstName: r.text(i, "firstName"), LastName: r.text(i, "lastName")}
}
