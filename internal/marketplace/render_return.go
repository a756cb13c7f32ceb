package marketplace

import (
	"cmp"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// ReturnItem is a line of a return. It has a field per member of the payload. Its dates are texts to every client that
// is known, so null is safe for what is not known.
type ReturnItem struct {
	ReturnID               string          `json:"returnId"`
	OrderItemID            string          `json:"orderItemId"`
	OrderID                string          `json:"orderId"`
	ShipmentID             string          `json:"shipmentId"`
	SellerID               string          `json:"sellerId"`
	LocationID             string          `json:"locationId"`
	Quantity               uint32          `json:"quantity"`
	Type                   string          `json:"type"`
	Status                 string          `json:"status"`
	ShipmentStatus         string          `json:"shipmentStatus"`
	Action                 *string         `json:"action"`
	Reason                 *string         `json:"reason"`
	SubReason              *string         `json:"subReason"`
	Comments               *string         `json:"comments"`
	CourierName            *string         `json:"courierName"`
	TrackingID             *string         `json:"trackingId"`
	OrderDate              *string         `json:"orderDate"`
	CreatedDate            *string         `json:"createdDate"`
	ApprovedOn             *string         `json:"approvedOn"`
	UpdatedDate            *string         `json:"updatedDate"`
	ExpectedDate           *string         `json:"expectedDate"`
	ServiceProfile         *string         `json:"serviceProfile"`
	ReplacementOrderItemID string          `json:"replacementOrderItemId,omitempty"`
	Services               []returnService `json:"services"`
}

// returnService is a tech visit. Its status is an extension of ours.
type returnService struct {
	ServiceFulfilmentID string  `json:"serviceFulfilmentId"`
	Description         string  `json:"description"`
	ServiceByDate       *string `json:"serviceByDate"`
	CreatedAt           *string `json:"createdAt"`
	Status              string  `json:"status"`
}

// RenderReturn converts a line of a return to the payload.
func RenderReturn(s *ledgerv1.Shipment, line *ledgerv1.Return) ReturnItem {
	out := ReturnItem{
		ReturnID: line.GetReturnId(), OrderItemID: line.GetOrderItemId(), OrderID: s.GetOrderId(),
		ShipmentID: s.GetShipmentId(), SellerID: s.GetSellerId(), LocationID: s.GetLocationId(),
		Quantity: line.GetUnits(), Type: returnType(line), Status: returnStatus(line),
		ShipmentStatus: returnShipmentStatus(line),
		Action:         optional(line.GetAction()), Reason: optional(line.GetReason()),
		SubReason: optional(line.GetSubReason()),
		Comments:  optional(line.GetComments()), CourierName: optional(line.GetCourierName()),
		TrackingID:             optional(line.GetTrackingId()),
		CreatedDate:            formatted(line.GetCreated().GetAt()),
		ApprovedOn:             formatted(approvedOn(s, line)),
		UpdatedDate:            formatted(s.GetUpdatedAt()), // What modifiedAfter and modifiedBefore compare.
		ExpectedDate:           formatted(line.GetExpectedDate()),
		ReplacementOrderItemID: line.GetReplacementOrderItemId(), Services: []returnService{},
	}
	profile := line.GetServiceProfile()
	for _, item := range s.GetItems() {
		if item.GetOrderItemId() == line.GetOrderItemId() {
			out.OrderDate = formatted(item.GetDetails().GetOrderDate())
			profile = cmp.Or(profile, item.GetDetails().GetServiceProfile())
		}
	}
	out.ServiceProfile = optional(cmp.Or(profile, s.GetDetails().GetServiceProfile()))
	open := false
	for _, visit := range s.GetServices() {
		if visit.GetReturnId() != line.GetReturnId() || visit.GetOrderItemId() != line.GetOrderItemId() {
			continue
		}
		open = open || visit.GetStatus() == ledgerv1.ServiceStatus_SERVICE_STATUS_REQUESTED
		out.Services = append(out.Services, returnService{
			ServiceFulfilmentID: visit.GetServiceId(), Description: visit.GetDescription(),
			ServiceByDate: formatted(visit.GetDueAt()), CreatedAt: formatted(visit.GetActivated().GetAt()),
			Status: serviceStatusName(visit),
		})
	}
	if open && line.GetStatus() == ledgerv1.ReturnStatus_RETURN_STATUS_REQUESTED {
		out.Status = "service_requested"
	}
	return out
}

// returnType returns the source of a return, which the payload calls its type.
func returnType(line *ledgerv1.Return) string {
	switch line.GetSource() {
	case ledgerv1.ReturnSource_RETURN_SOURCE_CUSTOMER:
		return "customer_return"
	case ledgerv1.ReturnSource_RETURN_SOURCE_COURIER:
		return "courier_return"
	default:
		return line.GetType()
	}
}

// returnStatus returns the status in the words that are known on the wire. They have none for an approved return: it is
// created, and approvedOn says when it was approved.
func returnStatus(line *ledgerv1.Return) string {
	switch line.GetStatus() {
	case ledgerv1.ReturnStatus_RETURN_STATUS_REQUESTED:
		return "init"
	case ledgerv1.ReturnStatus_RETURN_STATUS_CREATED, ledgerv1.ReturnStatus_RETURN_STATUS_APPROVED,
		ledgerv1.ReturnStatus_RETURN_STATUS_PICKED_UP:
		return "created"
	case ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED:
		return "completed"
	case ledgerv1.ReturnStatus_RETURN_STATUS_REJECTED:
		return "rejected"
	case ledgerv1.ReturnStatus_RETURN_STATUS_CANCELLED:
		return "cancelled"
	default:
		return ""
	}
}

// returnShipmentStatus returns where the goods are, as reported or as far as the return itself says it.
func returnShipmentStatus(line *ledgerv1.Return) string {
	switch {
	case line.GetShipmentStatus() != "":
		return line.GetShipmentStatus()
	case line.GetStatus() == ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED:
		return "delivered"
	case line.GetStatus() == ledgerv1.ReturnStatus_RETURN_STATUS_PICKED_UP:
		return "picked_up"
	default:
		return "start"
	}
}

// approvedOn returns when a return was approved. In the standard flow the marketplace creates only returns that it has
// approved.
func approvedOn(s *ledgerv1.Shipment, line *ledgerv1.Return) *timestamppb.Timestamp {
	if at := line.GetApproved().GetAt(); at != nil || s.GetFulfilment() == ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP {
		return at
	}
	return line.GetCreated().GetAt()
}
