package emitter

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// The event types of a suborder, as they are written to the eventType of a message and the ce_type of its record.
const (
	SuborderCreate           = "SUBORDER_CREATE"
	SuborderPartialCancel    = "SUBORDER_PARTIAL_CANCEL"
	SuborderCancel           = "SUBORDER_CANCEL"
	SuborderComplete         = "SUBORDER_COMPLETE"
	SuborderPropertiesUpdate = "SUBORDER_PROPERTIES_UPDATE"
)

// suborder is a shipment in the terms of a fulfilment system, independent of any profile. Empty strings and zero times
// are unknown. It has so many fields because the contract has.
type suborder struct {
	locationCode, orderCode, parentOrderCode, channelName string
	orderTime, startProcessing, requiredBy                time.Time
	cod, priority, onHold                                 bool
	attributes                                            customAttributes
	lines                                                 []line
	shipping, billing                                     *address
	virtual, bundled                                      []skuDefinition
}

// address is a postal address in the fields of the contract.
type address struct {
	name, line1, line2, line3, city, state, zip, country, email, phone string
}

// newSuborder makes the suborder of a state. It depends only on its arguments, so that a repeat makes the same bytes.
func newSuborder(s *ledgerv1.Shipment, c *Channel) (suborder, Notes) {
	var notes Notes
	details := s.GetDetails()
	extension := readShipmentExtension(details.GetExtensionsJson(), &notes)
	created := timeOf(s.GetTimes().GetCreated().GetAt())
	o := suborder{
		locationCode:    cmp.Or(s.GetLocationId(), c.LocationID),
		orderCode:       s.GetShipmentId(),
		parentOrderCode: s.GetOrderId(),
		channelName:     cmp.Or(c.Name, details.GetSource()),
		orderTime:       firstTime(earliestOrder(s.GetItems()), created),
		startProcessing: firstTime(timeOf(s.GetDispatchAfter()), created),
		requiredBy:      timeOf(s.GetDispatchBy()),
		priority:        isExpress(s),
		onHold:          s.GetOnHold(),
		attributes:      extension.attributes,
		shipping:        newAddress(details.GetDeliveryAddress(), c),
		billing:         newAddress(details.GetBillingAddress(), c),
		virtual:         extension.virtual,
		bundled:         extension.bundled,
	}
	if c.Currency != "" {
		o.attributes.currency = c.Currency
	}
	if o.requiredBy.IsZero() && c.RequiredWithin > 0 && !created.IsZero() {
		o.requiredBy = created.Add(c.RequiredWithin)
	}
	if o.requiredBy.IsZero() {
		notes |= NoteRequiredByUnknown
	}
	var known bool
	if o.cod, known = isCOD(s.GetItems()); !known {
		notes |= NotePaymentUnknown
	}
	o.lines = newLines(s.GetItems(), c, &notes)
	return o, notes
}

// isCOD reports whether any item is paid on delivery, and whether any item has a payment type at all.
func isCOD(items []*ledgerv1.Item) (cod, known bool) {
	for _, item := range items {
		payment := item.GetDetails().GetPaymentType()
		known = known || payment != ""
		cod = cod || strings.EqualFold(payment, "COD")
	}
	return cod, known
}

func isExpress(s *ledgerv1.Shipment) bool {
	const express = "EXPRESS"
	d := s.GetDetails()
	return strings.EqualFold(d.GetShipmentType(), express) || strings.EqualFold(d.GetDispatchServiceTier(), express) ||
		slices.ContainsFunc(s.GetItems(), func(item *ledgerv1.Item) bool {
			return strings.EqualFold(item.GetDetails().GetDispatchServiceTier(), express)
		})
}

func earliestOrder(items []*ledgerv1.Item) time.Time {
	var earliest time.Time
	for _, item := range items {
		t := timeOf(item.GetDetails().GetOrderDate())
		if !t.IsZero() && (earliest.IsZero() || t.Before(earliest)) {
			earliest = t
		}
	}
	return earliest
}

func newAddress(a *ledgerv1.Address, c *Channel) *address {
	if a == nil {
		return nil
	}
	return &address{
		name:    strings.TrimSpace(a.GetFirstName() + " " + a.GetLastName()),
		line1:   a.GetLine1(),
		line2:   a.GetLine2(),
		line3:   a.GetLandmark(),
		city:    a.GetCity(),
		state:   a.GetState(),
		zip:     a.GetPincode(),
		country: cmp.Or(a.GetCountry(), c.Country),
		email:   a.GetEmail(),
		phone:   a.GetPhone(),
	}
}

// timeOf returns the zero time for an unset timestamp, for which AsTime would return the year 1970.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func firstTime(ts ...time.Time) time.Time {
	for _, t := range ts {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
