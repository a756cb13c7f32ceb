package shipment

import (
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// patch collects the differences between the known and the reported fields. Only reported fields count, because the
// marketplace leaves out fields that it does not mention: an empty field never clears a known one.
type patch struct {
	prefix  string
	changed []string
	// at is when the fields were reported, and reported when each was reported last, by its path without the prefix. An
	// older report of a field replaces nothing, and reports of the same time count in the order of arrival; but not if
	// tieOlder, when the marketplace's own time says that the report is older. A nil reported compares no times.
	at       *timestamppb.Timestamp
	reported func(path string) *timestamppb.Timestamp
	tieOlder bool
	// confirms means that a known value which is reported again is news: older reports that are yet to arrive must not
	// replace it. The paths of such fields, without the prefix, are in confirmed.
	confirms  bool
	confirmed []string
	// outdated means that a field differed, but the report was too old to replace it.
	outdated bool
}

// takes reports whether the reported value of a field replaces the known one. Any report fills an unknown field.
func (p *patch) takes(path string, unknown, equal bool) bool {
	switch {
	case equal:
		if p.confirms && before(p.reported(path), p.at) {
			p.confirmed = append(p.confirmed, path)
		}
		return false
	case !unknown && p.isOlder(path):
		p.outdated = true
		return false
	}
	return true
}

// isOlder reports whether a field was reported later than by this report.
func (p *patch) isOlder(path string) bool {
	if p.reported == nil {
		return false
	}
	last := p.reported(path)
	return before(p.at, last) || p.tieOlder && same(p.at, last)
}

// note adds a path to the list of changes that the event shows.
func (p *patch) note(path string) { p.changed = append(p.changed, p.prefix+path) }

// text compares a text; an empty one was not reported.
func (p *patch) text(path, known, reported string, out *string) {
	if reported != "" && p.takes(path, known == "", reported == known) {
		*out = reported
		p.note(path)
	}
}

// flag only ever sets: in a report, false looks like absent.
func (p *patch) flag(path string, known, reported bool, out *bool) {
	if reported && !known {
		*out = true
		p.note(path)
	}
}

// time compares a time; nil was not reported.
func (p *patch) time(path string, known, reported *timestamppb.Timestamp, out **timestamppb.Timestamp) {
	if reported != nil && p.takes(path, known == nil, same(known, reported)) {
		*out = reported
		p.note(path)
	}
}

// message compares parts that change as a whole.
func message[M interface {
	comparable
	EqualVT(M) bool
}](p *patch, path string, known, reported M, out *M) {
	var none M
	if reported != none && p.takes(path, known == none, reported.EqualVT(known)) {
		*out = reported
		p.note(path)
	}
}

// diffDetails returns the reported fields that differ, or nil if none does. The source is that of the creation for
// ever: fulfilment systems identify a suborder by its channel.
func diffDetails(p *patch, known, reported *ledgerv1.ShipmentDetails) *ledgerv1.ShipmentDetails {
	if reported == nil {
		return nil
	}
	n := len(p.changed)
	out := &ledgerv1.ShipmentDetails{}
	p.text("details.shipment_type", known.GetShipmentType(), reported.GetShipmentType(), &out.ShipmentType)
	p.text("details.packaging_policy", known.GetPackagingPolicy(), reported.GetPackagingPolicy(), &out.PackagingPolicy)
	p.flag("details.mps", known.GetMps(), reported.GetMps(), &out.Mps)
	p.text("details.dispatch_service_tier",
		known.GetDispatchServiceTier(), reported.GetDispatchServiceTier(), &out.DispatchServiceTier)
	message(p, "details.delivery_address",
		known.GetDeliveryAddress(), reported.GetDeliveryAddress(), &out.DeliveryAddress)
	message(p, "details.billing_address", known.GetBillingAddress(), reported.GetBillingAddress(), &out.BillingAddress)
	message(p, "details.buyer", known.GetBuyer(), reported.GetBuyer(), &out.Buyer)
	p.text("details.dispatch_location_json",
		known.GetDispatchLocationJson(), reported.GetDispatchLocationJson(), &out.DispatchLocationJson)
	p.text("details.extensions_json", known.GetExtensionsJson(), reported.GetExtensionsJson(), &out.ExtensionsJson)
	p.text("details.service_profile", known.GetServiceProfile(), reported.GetServiceProfile(), &out.ServiceProfile)
	old, sub := known.GetSubShipments(), reported.GetSubShipments()
	if len(sub) > 0 && p.takes("details.sub_shipments", len(old) == 0,
		slices.EqualFunc(old, sub, (*ledgerv1.SubShipment).EqualVT)) {
		out.SubShipments = sub
		p.note("details.sub_shipments")
	}
	if len(p.changed) == n {
		return nil
	}
	return out
}

// mergeDetails returns the details after a patch. It sets the fields that diffDetails compares, and the source.
func mergeDetails(known, reported *ledgerv1.ShipmentDetails) *ledgerv1.ShipmentDetails {
	out := known.CloneVT()
	if out == nil {
		out = &ledgerv1.ShipmentDetails{}
	}
	setText(&out.ShipmentType, reported.GetShipmentType())
	setText(&out.PackagingPolicy, reported.GetPackagingPolicy())
	out.Mps = out.Mps || reported.GetMps()
	setText(&out.Source, reported.GetSource())
	setText(&out.DispatchServiceTier, reported.GetDispatchServiceTier())
	setMessage(&out.DeliveryAddress, reported.GetDeliveryAddress())
	setMessage(&out.BillingAddress, reported.GetBillingAddress())
	setMessage(&out.Buyer, reported.GetBuyer())
	setText(&out.DispatchLocationJson, reported.GetDispatchLocationJson())
	setText(&out.ExtensionsJson, reported.GetExtensionsJson())
	setText(&out.ServiceProfile, reported.GetServiceProfile())
	if len(reported.GetSubShipments()) > 0 {
		out.SubShipments = reported.GetSubShipments()
	}
	return out
}

func setMessage[M comparable](to *M, m M) {
	var none M
	if m != none {
		*to = m
	}
}

// diffItem returns the reported fields of an item that differ, or nil if none does.
func diffItem(p *patch, known, reported *ledgerv1.ItemDetails) *ledgerv1.ItemDetails {
	if reported == nil {
		return nil
	}
	n := len(p.changed)
	out := &ledgerv1.ItemDetails{}
	p.time("order_date", known.GetOrderDate(), reported.GetOrderDate(), &out.OrderDate)
	p.text("payment_type", known.GetPaymentType(), reported.GetPaymentType(), &out.PaymentType)
	p.text("fsn", known.GetFsn(), reported.GetFsn(), &out.Fsn)
	p.text("sku", known.GetSku(), reported.GetSku(), &out.Sku)
	p.text("listing_id", known.GetListingId(), reported.GetListingId(), &out.ListingId)
	p.text("title", known.GetTitle(), reported.GetTitle(), &out.Title)
	p.text("hsn", known.GetHsn(), reported.GetHsn(), &out.Hsn)
	old, ids := known.GetPackageIds(), reported.GetPackageIds()
	if len(ids) > 0 && p.takes("package_ids", len(old) == 0, slices.Equal(old, ids)) {
		out.PackageIds = ids
		p.note("package_ids")
	}
	message(p, "price", known.GetPrice(), reported.GetPrice(), &out.Price)
	p.text("service_profile", known.GetServiceProfile(), reported.GetServiceProfile(), &out.ServiceProfile)
	p.flag("is_replacement", known.GetIsReplacement(), reported.GetIsReplacement(), &out.IsReplacement)
	p.text("dispatch_service_tier",
		known.GetDispatchServiceTier(), reported.GetDispatchServiceTier(), &out.DispatchServiceTier)
	p.text("extensions_json", known.GetExtensionsJson(), reported.GetExtensionsJson(), &out.ExtensionsJson)
	if len(p.changed) == n {
		return nil
	}
	return out
}

// mergeItem returns the details of an item after a patch.
func mergeItem(known, reported *ledgerv1.ItemDetails) *ledgerv1.ItemDetails {
	out := known.CloneVT()
	if out == nil {
		out = &ledgerv1.ItemDetails{}
	}
	setMessage(&out.OrderDate, reported.GetOrderDate())
	setText(&out.PaymentType, reported.GetPaymentType())
	setText(&out.Fsn, reported.GetFsn())
	setText(&out.Sku, reported.GetSku())
	setText(&out.ListingId, reported.GetListingId())
	setText(&out.Title, reported.GetTitle())
	setText(&out.Hsn, reported.GetHsn())
	if len(reported.GetPackageIds()) > 0 {
		out.PackageIds = reported.GetPackageIds()
	}
	setMessage(&out.Price, reported.GetPrice())
	setText(&out.ServiceProfile, reported.GetServiceProfile())
	out.IsReplacement = out.IsReplacement || reported.GetIsReplacement()
	setText(&out.DispatchServiceTier, reported.GetDispatchServiceTier())
	setText(&out.ExtensionsJson, reported.GetExtensionsJson())
	return out
}

// mergePacking returns couriers, invoice and documents after a report or a packing result. Invoice lines are replaced
// as a whole: they belong to one invoice.
func mergePacking(known, reported *ledgerv1.Packing) *ledgerv1.Packing {
	out := known.CloneVT()
	if out == nil {
		out = &ledgerv1.Packing{}
	}
	if c := reported.GetCourier(); c != nil {
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
	setText(&out.InvoiceNumber, reported.GetInvoiceNumber())
	setMessage(&out.InvoiceDate, reported.GetInvoiceDate())
	if len(reported.GetInvoiceLines()) > 0 {
		out.InvoiceLines = reported.GetInvoiceLines()
	}
	setText(&out.DocumentsRef, reported.GetDocumentsRef())
	out.Revision = max(out.Revision, reported.GetRevision())
	return out
}

// diffReturn returns the reported fields of a line of a return that differ, or nil if none does. State and times have
// rules of their own and are not compared.
func diffReturn(p *patch, known, reported *ledgerv1.Return) *ledgerv1.Return {
	n := len(p.changed)
	out := &ledgerv1.Return{OrderItemId: known.GetOrderItemId()}
	p.text("reason", known.GetReason(), reported.GetReason(), &out.Reason)
	p.text("sub_reason", known.GetSubReason(), reported.GetSubReason(), &out.SubReason)
	p.text("comments", known.GetComments(), reported.GetComments(), &out.Comments)
	p.text("action", known.GetAction(), reported.GetAction(), &out.Action)
	p.text("replacement_order_item_id",
		known.GetReplacementOrderItemId(), reported.GetReplacementOrderItemId(), &out.ReplacementOrderItemId)
	p.text("shipment_status", known.GetShipmentStatus(), reported.GetShipmentStatus(), &out.ShipmentStatus)
	p.text("type", known.GetType(), reported.GetType(), &out.Type)
	p.text("product_id", known.GetProductId(), reported.GetProductId(), &out.ProductId)
	p.text("listing_id", known.GetListingId(), reported.GetListingId(), &out.ListingId)
	p.text("service_profile", known.GetServiceProfile(), reported.GetServiceProfile(), &out.ServiceProfile)
	p.text("courier_name", known.GetCourierName(), reported.GetCourierName(), &out.CourierName)
	p.text("tracking_id", known.GetTrackingId(), reported.GetTrackingId(), &out.TrackingId)
	p.time("expected_date", known.GetExpectedDate(), reported.GetExpectedDate(), &out.ExpectedDate)
	if len(p.changed) == n && len(p.confirmed) == 0 {
		return nil
	}
	last, updated := known.GetMarketplaceUpdatedAt(), reported.GetMarketplaceUpdatedAt()
	if updated != nil && (last == nil || before(last, updated)) {
		out.MarketplaceUpdatedAt = updated
		p.note("marketplace_updated_at")
	}
	if len(p.changed) == n {
		return nil
	}
	return out
}

// mergeReturn sets the fields of a line of a return that a patch holds.
func mergeReturn(r, reported *ledgerv1.Return) {
	setText(&r.Reason, reported.GetReason())
	setText(&r.SubReason, reported.GetSubReason())
	setText(&r.Comments, reported.GetComments())
	setText(&r.Action, reported.GetAction())
	setText(&r.CourierName, reported.GetCourierName())
	setText(&r.TrackingId, reported.GetTrackingId())
	setText(&r.ReplacementOrderItemId, reported.GetReplacementOrderItemId())
	setText(&r.ShipmentStatus, reported.GetShipmentStatus())
	setText(&r.Type, reported.GetType())
	setText(&r.ProductId, reported.GetProductId())
	setText(&r.ListingId, reported.GetListingId())
	setText(&r.ServiceProfile, reported.GetServiceProfile())
	setMessage(&r.ExpectedDate, reported.GetExpectedDate())
	setMessage(&r.MarketplaceUpdatedAt, reported.GetMarketplaceUpdatedAt())
	setMessage(&r.Created, reported.GetCreated())
}
