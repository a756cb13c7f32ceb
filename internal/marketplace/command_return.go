package marketplace

import (
	"time"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// The official client sends a service in the form of a delivery, {shipmentId, locationId, deliveryDate}, because its
// model was generated from a page with a copied schema; it can't name the service. Such an item becomes a command
// without a ServiceID. The caller of this package, who can read the shipment, adds it by WithService if the shipment
// has only one service that fits.

func serviceAttemptItem(r *reader, _, item int32) shipment.Input {
	in := shipment.AttemptService{
		ServiceID: r.id(item, "serviceFulfilmentId"),
		At:        r.when(item, "deliveryDate"), NewDue: r.when(item, "newDeliveryDate"),
		Reason: r.text(item, "reason"), SubReason: r.text(item, "subReason"), Comments: r.text(item, "comments"),
	}
	r.mandatory(item, "deliveryDate", !in.At.Time.IsZero())
	return in
}

func serviceCompleteItem(r *reader, _, item int32) shipment.Input {
	in := shipment.CompleteService{ServiceID: r.id(item, "serviceFulfilmentId"), At: r.when(item, "deliveryDate")}
	r.mandatory(item, "deliveryDate", !in.At.Time.IsZero())
	return in
}

// WithService returns the command with this service. It returns commands that are not about services unchanged.
func (c Command) WithService(serviceID string) Command {
	switch in := c.Input.(type) { //nolint:gochecksumtype // Only these two are about services.
	case shipment.AttemptService:
		in.ServiceID = serviceID
		c.Input = in
	case shipment.CompleteService:
		in.ServiceID = serviceID
		c.Input = in
	}
	return c
}

// approveItem reads the approval of a return. The pages call serviceFulfilmentId mandatory, although the call is also
// for returns without a tech visit, so it is optional.
func approveItem(r *reader, root, item int32) shipment.Input {
	return shipment.ApproveReturn{
		LocationID: r.location(root, item), ReturnID: r.id(item, "returnId"), ServiceID: r.id(item, "serviceFulfilmentId"),
		Comments: r.text(item, "comments"), VisitedAt: r.when(item, "serviceDate"),
	}
}

// rejectItem reads the rejection of a return. serviceDate is mandatory on the wire, also where there was no tech visit.
func rejectItem(r *reader, root, item int32) shipment.Input {
	in := shipment.RejectReturn{
		LocationID: r.location(root, item), ReturnID: r.id(item, "returnId"), ServiceID: r.id(item, "serviceFulfilmentId"),
		Comments: r.text(item, "comments"), VisitedAt: r.when(item, "serviceDate"),
	}
	r.mandatory(item, "serviceDate", !in.VisitedAt.Time.IsZero())
	return in
}

// completeReturnItem reads the acknowledgement of a return. An item is a bare id, so the location is that of the call.
func completeReturnItem(r *reader, root, item int32) shipment.Input {
	return shipment.CompleteReturn{LocationID: r.location(root, none), ReturnID: r.stringOf(item)}
}

// cancelReturnItem reads the cancellation of a courier return. The marketplace's overview asks for a delivery date and
// its schema has none, so a deliveryDate beside the list is optional.
func cancelReturnItem(r *reader, root, item int32) shipment.Input {
	return shipment.CancelReturn{
		LocationID: r.location(root, none), ReturnID: r.stringOf(item), DeliveredAt: r.when(root, "deliveryDate"),
	}
}

// pickupItem reads a pickup. It needs a date, because a pickup without one would end its clock at a time that nobody
// reported.
func pickupItem(r *reader, root, item int32) shipment.Input {
	in := shipment.PickUpReturn{
		LocationID: r.location(root, item), ReturnID: r.id(item, "returnId"), At: r.when(item, "pickupDate"),
	}
	r.mandatory(item, "pickupDate", !in.At.Time.IsZero())
	return in
}

// pickupAttemptItem reads a failed pickup. The reasons are free text: the marketplace publishes no list of codes.
func pickupAttemptItem(r *reader, root, item int32) shipment.Input {
	in := shipment.AttemptPickup{
		LocationID: r.location(root, item), ReturnID: r.id(item, "returnId"), Reason: r.text(item, "reason"),
		At: r.when(item, "pickupDate"), NewDue: r.when(item, "newPickupDate"),
	}
	r.mandatory(item, "pickupDate", !in.At.Time.IsZero())
	return in
}

// moment converts a time as the client gave it; nil if there is none. A plain day becomes its end, because a seller who
// sends only a day may mean any time of it.
func moment(w shipment.When) *ledgerv1.Moment {
	if w.Time.IsZero() {
		return nil
	}
	return &ledgerv1.Moment{At: timestamp(endOfDay(w)), Day: w.Day}
}

// day returns the day of a time, in IST.
func day(t time.Time) string { return t.In(IST).Format(time.DateOnly) }
