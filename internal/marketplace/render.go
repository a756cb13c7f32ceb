package marketplace

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// TimeFormat is the format of times in responses, in IST. The official client parses few formats and fails the whole
// body for others: an offset without a colon other than +0000, no offset, a plain date.
const TimeFormat = "2006-01-02T15:04:05.000-07:00"

// FormatTime formats a time for a response.
func FormatTime(t time.Time) string { return t.In(IST).Format(TimeFormat) }

// Shipment is the shipment payload v3. Absent values are null, as in live responses, or omitted if a client is known to
// fail on null. It has a field per member of the payload.
type Shipment struct {
	ShipmentID        string          `json:"shipmentId"`
	DispatchByDate    *string         `json:"dispatchByDate"`
	DispatchAfterDate *string         `json:"dispatchAfterDate"`
	DeliverByDate     *string         `json:"deliverByDate,omitempty"`
	UpdatedAt         *string         `json:"updatedAt"`
	LocationID        string          `json:"locationId"`
	Hold              bool            `json:"hold"`
	MPS               bool            `json:"mps"`
	PackagingPolicy   string          `json:"packagingPolicy"`
	ShipmentType      string          `json:"shipmentType"`
	SubShipments      []subShipment   `json:"subShipments"`
	Forms             []form          `json:"forms"`
	DispatchLocation  json.RawMessage `json:"dispatchLocation"`
	OrderItems        []orderItem     `json:"orderItems"`
}

type subShipment struct {
	SubShipmentID  string      `json:"subShipmentId"`
	Packages       []pack      `json:"packages"`
	Dimensions     *dimensions `json:"dimensions,omitempty"`
	CourierDetails *couriers   `json:"courierDetails,omitempty"`
}

type pack struct {
	PackageID    string      `json:"packageId,omitempty"`
	PackageTitle string      `json:"packageTitle,omitempty"`
	PackageSku   string      `json:"packageSku,omitempty"`
	Dimensions   *dimensions `json:"dimensions,omitempty"`
}

type dimensions struct {
	Length  float64 `json:"length"`
	Breadth float64 `json:"breadth"`
	Height  float64 `json:"height"`
	Weight  float64 `json:"weight"`
}

type form struct {
	Name      string `json:"name"`
	Link      string `json:"link"`
	Automated bool   `json:"automated"`
	Status    string `json:"status,omitempty"`
}

// orderItem has a field per member of the payload.
type orderItem struct {
	OrderItemID string `json:"orderItemId"`
	// ID repeats OrderItemID under the name of the shipping details: the official client reads both with one model.
	ID                    string      `json:"id"`
	OrderID               string      `json:"orderId"`
	CancellationGroupID   string      `json:"cancellationGroupId"`
	OrderDate             *string     `json:"orderDate"`
	CancellationDate      *string     `json:"cancellationDate,omitempty"`
	PaymentType           string      `json:"paymentType,omitempty"`
	Status                string      `json:"status"`
	CancellationReason    string      `json:"cancellationReason,omitempty"`
	CancellationSubReason string      `json:"cancellationSubReason,omitempty"`
	CourierReturn         bool        `json:"courierReturn"`
	Quantity              uint32      `json:"quantity"`
	CancelledQuantity     uint32      `json:"cancelledQuantity"`
	FSN                   string      `json:"fsn"`
	SKU                   string      `json:"sku"`
	ListingID             string      `json:"listingId"`
	Title                 string      `json:"title"`
	HSN                   *string     `json:"hsn"`
	PackageIDs            []string    `json:"packageIds"`
	PriceComponents       *prices     `json:"priceComponents"`
	ServiceProfile        string      `json:"serviceProfile,omitempty"`
	IsReplacement         bool        `json:"is_replacement"`
	DispatchServiceTier   string      `json:"dispatchServiceTier,omitempty"`
	Services              []serviceOf `json:"services,omitempty"`
}

type prices struct {
	SellingPrice     *json.Number `json:"sellingPrice"`
	TotalPrice       *json.Number `json:"totalPrice"`
	ShippingCharge   *json.Number `json:"shippingCharge"`
	CustomerPrice    *json.Number `json:"customerPrice"`
	FlipkartDiscount *json.Number `json:"flipkartDiscount"`
}

// serviceOf is an extension of ours: no read of the marketplace shows a seller the id of a forward service, which the
// calls about services need.
type serviceOf struct {
	ServiceFulfilmentID string  `json:"serviceFulfilmentId"`
	Description         string  `json:"description,omitempty"`
	Status              string  `json:"status"`
	ServiceByDate       *string `json:"serviceByDate"`
}

// RenderShipment converts a shipment's state to the payload v3.
//
// quantity is the number of units to handle, those that are not cancelled; if all units of an item are cancelled, it is
// the ordered number. cancelledQuantity is an extension of ours.
func RenderShipment(s *ledgerv1.Shipment) Shipment {
	d := s.GetDetails()
	out := Shipment{
		ShipmentID:        s.GetShipmentId(),
		DispatchByDate:    formatted(s.GetDispatchBy()),
		DispatchAfterDate: formatted(s.GetDispatchAfter()),
		DeliverByDate:     formatted(s.GetDeliverBy()),
		UpdatedAt:         formatted(s.GetUpdatedAt()),
		LocationID:        s.GetLocationId(),
		Hold:              s.GetOnHold(),
		MPS:               d.GetMps(),
		PackagingPolicy:   cmp.Or(d.GetPackagingPolicy(), "DEFAULT"),
		ShipmentType:      cmp.Or(d.GetShipmentType(), "NORMAL"),
		SubShipments:      renderSubShipments(s),
		Forms:             renderForms(s),
		DispatchLocation:  json.RawMessage(cmp.Or(d.GetDispatchLocationJson(), "null")),
		OrderItems:        make([]orderItem, 0, len(s.GetItems())),
	}
	if s.GetFulfilment() == ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP {
		out.ShipmentType = "SELF"
	}
	for _, item := range s.GetItems() {
		out.OrderItems = append(out.OrderItems, renderItem(s, item))
	}
	return out
}

func renderItem(s *ledgerv1.Shipment, item *ledgerv1.Item) orderItem {
	d := item.GetDetails()
	cancelled := events.CancelledUnits(item)
	out := orderItem{
		OrderItemID: item.GetOrderItemId(), ID: item.GetOrderItemId(), OrderID: s.GetOrderId(),
		CancellationGroupID: item.GetCancellationGroupId(),
		OrderDate:           formatted(d.GetOrderDate()), PaymentType: d.GetPaymentType(),
		Status:        StatusName(item.GetStatus()),
		CourierReturn: item.GetCourierReturn(),
		Quantity:      item.GetOrdered(), CancelledQuantity: cancelled,
		FSN: d.GetFsn(), SKU: d.GetSku(), ListingID: d.GetListingId(), Title: d.GetTitle(), HSN: optional(d.GetHsn()),
		PackageIDs: d.GetPackageIds(), PriceComponents: renderPrice(d.GetPrice()),
		ServiceProfile: d.GetServiceProfile(), IsReplacement: d.GetIsReplacement(),
		DispatchServiceTier: d.GetDispatchServiceTier(),
	}
	if out.PackageIDs == nil {
		out.PackageIDs = []string{} // An empty list, not null: clients iterate over it.
	}
	if cancelled < item.GetOrdered() {
		out.Quantity = item.GetOrdered() - cancelled
	}
	if n := len(item.GetCancellations()); n > 0 {
		last := item.GetCancellations()[n-1]
		out.CancellationDate = formatted(last.GetAt().GetAt())
		out.CancellationReason, out.CancellationSubReason = last.GetReason(), last.GetSubReason()
	}
	const forward = ledgerv1.ServiceKind_SERVICE_KIND_FORWARD // Tech visits belong to a return.
	for _, service := range s.GetServices() {
		if service.GetOrderItemId() == item.GetOrderItemId() && service.GetKind() == forward {
			out.Services = append(out.Services, serviceOf{
				ServiceFulfilmentID: service.GetServiceId(), Description: service.GetDescription(),
				Status:        strings.TrimPrefix(service.GetStatus().String(), "SERVICE_STATUS_"),
				ServiceByDate: formatted(service.GetDueAt()),
			})
		}
	}
	return out
}

// renderPrice writes amounts as exact decimals: json.Number keeps 0.1 from becoming the nearest float.
func renderPrice(p *ledgerv1.Price) *prices {
	if p == nil {
		return nil
	}
	amount := func(minor *int64) *json.Number {
		if minor == nil {
			return nil
		}
		n := json.Number(formatMinor(*minor, MinorDigits(p.GetCurrency())))
		return &n
	}
	return &prices{
		SellingPrice: amount(p.SellingMinor), TotalPrice: amount(p.TotalMinor), ShippingCharge: amount(p.ShippingMinor),
		CustomerPrice: amount(p.CustomerMinor), FlipkartDiscount: amount(p.MarketplaceDiscountMinor),
	}
}

// renderSubShipments converts the parcels. They have the seller's dimensions once the seller has requested labels.
func renderSubShipments(s *ledgerv1.Shipment) []subShipment {
	measured := map[string]*ledgerv1.Dimensions{}
	for _, sub := range s.GetPackRequest().GetSubShipments() {
		measured[sub.GetSubShipmentId()] = sub.GetDimensions()
	}
	out := []subShipment{}
	for _, sub := range s.GetDetails().GetSubShipments() {
		one := subShipment{
			SubShipmentID: sub.GetSubShipmentId(), Packages: []pack{}, Dimensions: renderDimensions(sub.GetDimensions()),
		}
		if d := measured[sub.GetSubShipmentId()]; d != nil {
			one.Dimensions = renderDimensions(d)
		}
		for _, p := range sub.GetPackages() {
			one.Packages = append(one.Packages, pack{
				PackageID: p.GetPackageId(), PackageTitle: p.GetTitle(), PackageSku: p.GetSku(),
				Dimensions: renderDimensions(p.GetDimensions()),
			})
		}
		courier := sub.GetCourier()
		if courier == nil {
			courier = s.GetPacking().GetCourier()
		}
		one.CourierDetails = renderCourier(courier)
		out = append(out, one)
	}
	return out
}

func renderDimensions(d *ledgerv1.Dimensions) *dimensions {
	if d == nil {
		return nil
	}
	return &dimensions{Length: d.GetLength(), Breadth: d.GetBreadth(), Height: d.GetHeight(), Weight: d.GetWeight()}
}

// renderForms returns an empty list and not nil for none: clients go through it without a check.
func renderForms(s *ledgerv1.Shipment) []form {
	out := []form{}
	for _, f := range s.GetForms() {
		out = append(out, form{
			Name: f.GetName(), Link: f.GetLink(), Automated: f.GetAutomated(), Status: formStatusName(f.GetStatus()),
		})
	}
	return out
}

// formStatusName returns the status of a form in the spelling of the forms page.
func formStatusName(s ledgerv1.FormStatus) string {
	switch s {
	case ledgerv1.FormStatus_FORM_STATUS_NOT_CREATED:
		return "Not created"
	case ledgerv1.FormStatus_FORM_STATUS_IN_PROGRESS:
		return "In-progress"
	case ledgerv1.FormStatus_FORM_STATUS_COMPLETED:
		return "Completed"
	case ledgerv1.FormStatus_FORM_STATUS_FAILED:
		return "Failed"
	default:
		return ""
	}
}

// StatusName returns the marketplace's name of a state.
func StatusName(s ledgerv1.Status) string {
	if s == ledgerv1.Status_STATUS_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(s.String(), "STATUS_")
}

// formatted and optional return nil for what is not known. It becomes null, as in live responses: an empty text would
// be a value, and no client can read it as a time.
func formatted(t *timestamppb.Timestamp) *string {
	if t == nil {
		return nil
	}
	s := FormatTime(t.AsTime())
	return &s
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
