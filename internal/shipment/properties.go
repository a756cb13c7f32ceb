package shipment

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// patch gathers what differs between what is known and what is told: only fields that are told count, because the
// marketplace leaves out what it does not say.
type patch struct {
	prefix  string
	changed []string
	// older says that what is told is older than what is known: it fills what is not known and replaces nothing.
	older bool
	// outdated says that something differed and was too old.
	outdated bool
}

// takes reports whether a field that differs is taken.
func (p *patch) takes(unknown bool) bool {
	if p.older && !unknown {
		p.outdated = true
		return false
	}
	return true
}

func (p *patch) note(path string) { p.changed = append(p.changed, p.prefix+path) }

func (p *patch) text(path, known, told string, out *string) {
	if told != "" && told != known && p.takes(known == "") {
		*out = told
		p.note(path)
	}
}

func (p *patch) flag(path string, known, told bool, out *bool) {
	if told && !known {
		*out = true
		p.note(path)
	}
}

func (p *patch) time(path string, known, told *timestamppb.Timestamp, out **timestamppb.Timestamp) {
	if told != nil && !same(known, told) && p.takes(known == nil) {
		*out = told
		p.note(path)
	}
}

// message is for parts that change as a whole.
func message[M interface {
	comparable
	EqualVT(M) bool
}](p *patch, path string, known, told M, out *M) {
	var none M
	if told != none && !told.EqualVT(known) && p.takes(known == none) {
		*out = told
		p.note(path)
	}
}

// diffDetails gives the told fields that differ, nil when none does.
func diffDetails(p *patch, known, told *ledgerv1.ShipmentDetails) *ledgerv1.ShipmentDetails {
	if told == nil {
		return nil
	}
	n := len(p.changed)
	out := &ledgerv1.ShipmentDetails{}
	p.text("details.shipment_type", known.GetShipmentType(), told.GetShipmentType(), &out.ShipmentType)
	p.text("details.packaging_policy", known.GetPackagingPolicy(), told.GetPackagingPolicy(), &out.PackagingPolicy)
	p.flag("details.mps", known.GetMps(), told.GetMps(), &out.Mps)
	p.text("details.source", known.GetSource(), told.GetSource(), &out.Source)
	p.text("details.dispatch_service_tier", known.GetDispatchServiceTier(), told.GetDispatchServiceTier(), &out.DispatchServiceTier)
	message(p, "details.delivery_address", known.GetDeliveryAddress(), told.GetDeliveryAddress(), &out.DeliveryAddress)
	message(p, "details.billing_address", known.GetBillingAddress(), told.GetBillingAddress(), &out.BillingAddress)
	message(p, "details.buyer", known.GetBuyer(), told.GetBuyer(), &out.Buyer)
	p.text("details.dispatch_location_json", known.GetDispatchLocationJson(), told.GetDispatchLocationJson(), &out.DispatchLocationJson)
	p.text("details.extensions_json", known.GetExtensionsJson(), told.GetExtensionsJson(), &out.ExtensionsJson)
	p.text("details.service_profile", known.GetServiceProfile(), told.GetServiceProfile(), &out.ServiceProfile)
	if sub := told.GetSubShipments(); len(sub) > 0 && !equalList(known.GetSubShipments(), sub) && p.takes(len(known.GetSubShipments()) == 0) {
		out.SubShipments = sub
		p.note("details.sub_shipments")
	}
	if len(p.changed) == n {
		return nil
	}
	return out
}

func equalList[M interface{ EqualVT(M) bool }](a, b []M) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].EqualVT(b[i]) {
			return false
		}
	}
	return true
}

// mergeDetails gives the details after a patch.
func mergeDetails(known, told *ledgerv1.ShipmentDetails) *ledgerv1.ShipmentDetails {
	out := known.CloneVT()
	if out == nil {
		out = &ledgerv1.ShipmentDetails{}
	}
	setText(&out.ShipmentType, told.GetShipmentType())
	setText(&out.PackagingPolicy, told.GetPackagingPolicy())
	out.Mps = out.Mps || told.GetMps()
	setText(&out.Source, told.GetSource())
	setText(&out.DispatchServiceTier, told.GetDispatchServiceTier())
	setMessage(&out.DeliveryAddress, told.GetDeliveryAddress())
	setMessage(&out.BillingAddress, told.GetBillingAddress())
	setMessage(&out.Buyer, told.GetBuyer())
	setText(&out.DispatchLocationJson, told.GetDispatchLocationJson())
	setText(&out.ExtensionsJson, told.GetExtensionsJson())
	setText(&out.ServiceProfile, told.GetServiceProfile())
	if len(told.GetSubShipments()) > 0 {
		out.SubShipments = told.GetSubShipments()
	}
	return out
}

func setMessage[M comparable](to *M, m M) {
	var none M
	if m != none {
		*to = m
	}
}

func diffItem(p *patch, known, told *ledgerv1.ItemDetails) *ledgerv1.ItemDetails {
	if told == nil {
		return nil
	}
	n := len(p.changed)
	out := &ledgerv1.ItemDetails{}
	p.time("order_date", known.GetOrderDate(), told.GetOrderDate(), &out.OrderDate)
	p.text("payment_type", known.GetPaymentType(), told.GetPaymentType(), &out.PaymentType)
	p.text("fsn", known.GetFsn(), told.GetFsn(), &out.Fsn)
	p.text("sku", known.GetSku(), told.GetSku(), &out.Sku)
	p.text("listing_id", known.GetListingId(), told.GetListingId(), &out.ListingId)
	p.text("title", known.GetTitle(), told.GetTitle(), &out.Title)
	p.text("hsn", known.GetHsn(), told.GetHsn(), &out.Hsn)
	if ids := told.GetPackageIds(); len(ids) > 0 && !equalTexts(known.GetPackageIds(), ids) && p.takes(len(known.GetPackageIds()) == 0) {
		out.PackageIds = ids
		p.note("package_ids")
	}
	message(p, "price", known.GetPrice(), told.GetPrice(), &out.Price)
	p.text("service_profile", known.GetServiceProfile(), told.GetServiceProfile(), &out.ServiceProfile)
	p.flag("is_replacement", known.GetIsReplacement(), told.GetIsReplacement(), &out.IsReplacement)
	p.text("dispatch_service_tier", known.GetDispatchServiceTier(), told.GetDispatchServiceTier(), &out.DispatchServiceTier)
	p.text("extensions_json", known.GetExtensionsJson(), told.GetExtensionsJson(), &out.ExtensionsJson)
	if len(p.changed) == n {
		return nil
	}
	return out
}

func equalTexts(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func mergeItem(known, told *ledgerv1.ItemDetails) *ledgerv1.ItemDetails {
	out := known.CloneVT()
	if out == nil {
		out = &ledgerv1.ItemDetails{}
	}
	setMessage(&out.OrderDate, told.GetOrderDate())
	setText(&out.PaymentType, told.GetPaymentType())
	setText(&out.Fsn, told.GetFsn())
	setText(&out.Sku, told.GetSku())
	setText(&out.ListingId, told.GetListingId())
	setText(&out.Title, told.GetTitle())
	setText(&out.Hsn, told.GetHsn())
	if len(told.GetPackageIds()) > 0 {
		out.PackageIds = told.GetPackageIds()
	}
	setMessage(&out.Price, told.GetPrice())
	setText(&out.ServiceProfile, told.GetServiceProfile())
	out.IsReplacement = out.IsReplacement || told.GetIsReplacement()
	setText(&out.DispatchServiceTier, told.GetDispatchServiceTier())
	setText(&out.ExtensionsJson, told.GetExtensionsJson())
	return out
}

// mergePacking gives the couriers, invoice and documents after what is told now.
func mergePacking(known, told *ledgerv1.Packing) *ledgerv1.Packing {
	out := known.CloneVT()
	if out == nil {
		out = &ledgerv1.Packing{}
	}
	if c := told.GetCourier(); c != nil {
		to := out.Courier
		if to == nil {
			to = &ledgerv1.Courier{}
		}
		setText(&to.VendorName, c.GetVendorName())
		setText(&to.TrackingId, c.GetTrackingId())
		setText(&to.VendorGroup, c.GetVendorGroup())
		setText(&to.VendorCode, c.GetVendorCode())
		setMessage(&to.PickupFrom, c.GetPickupFrom())
		setMessage(&to.PickupTo, c.GetPickupTo())
		out.Courier = to
	}
	setText(&out.InvoiceNumber, told.GetInvoiceNumber())
	setMessage(&out.InvoiceDate, told.GetInvoiceDate())
	if len(told.GetInvoiceLines()) > 0 {
		out.InvoiceLines = told.GetInvoiceLines()
	}
	setText(&out.DocumentsRef, told.GetDocumentsRef())
	return out
}

// diffReturn gives the told fields of a line of a return that differ; its state and times are not among them.
func diffReturn(p *patch, known, told *ledgerv1.Return) *ledgerv1.Return {
	n := len(p.changed)
	out := &ledgerv1.Return{OrderItemId: known.GetOrderItemId()}
	p.text("reason", known.GetReason(), told.GetReason(), &out.Reason)
	p.text("sub_reason", known.GetSubReason(), told.GetSubReason(), &out.SubReason)
	p.text("comments", known.GetComments(), told.GetComments(), &out.Comments)
	p.text("action", known.GetAction(), told.GetAction(), &out.Action)
	p.text("replacement_order_item_id", known.GetReplacementOrderItemId(), told.GetReplacementOrderItemId(), &out.ReplacementOrderItemId)
	p.text("shipment_status", known.GetShipmentStatus(), told.GetShipmentStatus(), &out.ShipmentStatus)
	p.text("type", known.GetType(), told.GetType(), &out.Type)
	p.text("product_id", known.GetProductId(), told.GetProductId(), &out.ProductId)
	p.text("listing_id", known.GetListingId(), told.GetListingId(), &out.ListingId)
	p.text("service_profile", known.GetServiceProfile(), told.GetServiceProfile(), &out.ServiceProfile)
	p.text("courier_name", known.GetCourierName(), told.GetCourierName(), &out.CourierName)
	p.text("tracking_id", known.GetTrackingId(), told.GetTrackingId(), &out.TrackingId)
	p.time("expected_date", known.GetExpectedDate(), told.GetExpectedDate(), &out.ExpectedDate)
	if len(p.changed) == n {
		return nil
	}
	if t := told.GetMarketplaceUpdatedAt(); t != nil && (known.GetMarketplaceUpdatedAt() == nil || before(known.GetMarketplaceUpdatedAt(), t)) {
		out.MarketplaceUpdatedAt = t
		p.note("marketplace_updated_at")
	}
	return out
}

func mergeReturn(r, told *ledgerv1.Return) {
	setText(&r.Reason, told.GetReason())
	setText(&r.SubReason, told.GetSubReason())
	setText(&r.Comments, told.GetComments())
	setText(&r.Action, told.GetAction())
	setText(&r.CourierName, told.GetCourierName())
	setText(&r.TrackingId, told.GetTrackingId())
	setText(&r.ReplacementOrderItemId, told.GetReplacementOrderItemId())
	setText(&r.ShipmentStatus, told.GetShipmentStatus())
	setText(&r.Type, told.GetType())
	setText(&r.ProductId, told.GetProductId())
	setText(&r.ListingId, told.GetListingId())
	setText(&r.ServiceProfile, told.GetServiceProfile())
	setMessage(&r.ExpectedDate, told.GetExpectedDate())
	setMessage(&r.MarketplaceUpdatedAt, told.GetMarketplaceUpdatedAt())
	setMessage(&r.Created, told.GetCreated())
}
