package marketplace

import (
	"strings"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// readShipmentObserved reads shipment_observed. No items mean the whole shipment.
func readShipmentObserved(r *reader, n *Notification, attributes int32) {
	needShipment(r, n)
	o := shipment.Observed{
		Status:   readStatus(r, attributes, "status"),
		Services: readServices(r, attributes, ""),
	}
	r.lines(attributes, "orderItems", func(i int32) {
		id := r.needID(i, "orderItemId")
		if r.code == "" {
			o.OrderItemIDs = append(o.OrderItemIDs, id)
		}
	})
	if o.Status == ledgerv1.Status_STATUS_UNSPECIFIED && len(o.Services) == 0 {
		r.invalid(none, shipment.ReasonBadBody, "attributes has neither a status nor a service")
	}
	n.body = o
}

// readReturnObserved reads return_observed. It is about all lines of the return, so that the resolver hands it to each
// shipment as it is.
func readReturnObserved(r *reader, n *Notification, attributes int32) {
	if n.ReturnID == "" {
		r.invalid(none, shipment.ReasonBadBody, "no returnId")
	}
	o := shipment.Observed{}
	if status := readReturnStatus(r, attributes); status != ledgerv1.ReturnStatus_RETURN_STATUS_UNSPECIFIED {
		o.Return = &ledgerv1.Return{ReturnId: n.ReturnID, Status: status}
	}
	for _, s := range readServices(r, attributes, "") {
		o.TechVisits = append(o.TechVisits, shipment.RequestTechVisit{
			ReturnID: n.ReturnID, ServiceID: s.ServiceID, OrderItemID: s.OrderItemID, Description: s.Description, DueAt: s.DueAt,
		})
	}
	if o.Return == nil && len(o.TechVisits) == 0 {
		r.invalid(none, shipment.ReasonBadBody, "attributes has neither a status nor a tech visit")
	}
	n.body = o
}

// readReturnStatus reads the state of a return, as notifications write it; unspecified if it is absent or unknown.
func readReturnStatus(r *reader, attributes int32) ledgerv1.ReturnStatus {
	s := r.text(attributes, "status")
	name, found := strings.CutPrefix(s, "RETURN_")
	status, known := ledgerv1.ReturnStatus_value["RETURN_STATUS_"+name]
	if s == "" || found && known && status != 0 {
		return ledgerv1.ReturnStatus(status)
	}
	r.leaveOut(r.member(attributes, "status"), "unknown state of a return")
	return ledgerv1.ReturnStatus_RETURN_STATUS_UNSPECIFIED
}
