package marketplace

import (
	"crypto/sha256"
	"time"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// The official client sends services in the form of a delivery, {shipmentId, locationId, deliveryDate}, and can't name
// the service. Such an item gives a command without a ServiceID: whoever knows the shipment fills it in where only one
// can be meant, with WithService.

func serviceAttemptItem(r *reader, _, item int32) shipment.Input {
	in := shipment.AttemptService{
		ServiceID: r.id(item, "serviceFulfilmentId"), At: r.when(item, "deliveryDate"), NewDue: r.when(item, "newDeliveryDate"),
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

// WithService returns the command for this service; other commands are returned as they are.
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

func approveItem(r *reader, root, item int32) shipment.Input {
	return shipment.ApproveReturn{
		LocationID: r.location(root, item), ReturnID: r.id(item, "returnId"), ServiceID: r.id(item, "serviceFulfilmentId"),
		Comments: r.text(item, "comments"), VisitedAt: r.when(item, "serviceDate"),
	}
}

func rejectItem(r *reader, root, item int32) shipment.Input {
	in := shipment.RejectReturn{
		LocationID: r.location(root, item), ReturnID: r.id(item, "returnId"), ServiceID: r.id(item, "serviceFulfilmentId"),
		Comments: r.text(item, "comments"), VisitedAt: r.when(item, "serviceDate"),
	}
	r.mandatory(item, "serviceDate", !in.VisitedAt.Time.IsZero())
	return in
}

func completeReturnItem(r *reader, root, item int32) shipment.Input {
	return shipment.CompleteReturn{LocationID: r.location(root, none), ReturnID: r.stringOf(item)}
}

// cancelReturnItem reads the cancellation of a courier return. The overview wants a delivery date and the schema has
// none: deliveryDate beside the list is taken where it is sent.
func cancelReturnItem(r *reader, root, item int32) shipment.Input {
	return shipment.CancelReturn{
		LocationID: r.location(root, none), ReturnID: r.stringOf(item), DeliveredAt: r.when(root, "deliveryDate"),
	}
}

func pickupItem(r *reader, root, item int32) shipment.Input {
	in := shipment.PickUpReturn{
		LocationID: r.location(root, item), ReturnID: r.id(item, "returnId"), At: r.when(item, "pickupDate"),
	}
	r.mandatory(item, "pickupDate", !in.At.Time.IsZero())
	return in
}

func pickupAttemptItem(r *reader, root, item int32) shipment.Input {
	in := shipment.AttemptPickup{
		LocationID: r.location(root, item), ReturnID: r.id(item, "returnId"), Reason: r.text(item, "reason"),
		At: r.when(item, "pickupDate"), NewDue: r.when(item, "newPickupDate"),
	}
	r.mandatory(item, "pickupDate", !in.At.Time.IsZero())
	return in
}

// moment keeps a time as it was given; nil where none was. A day stands for its end.
func moment(w shipment.When) *ledgerv1.Moment {
	if w.Time.IsZero() {
		return nil
	}
	return &ledgerv1.Moment{At: timestamp(endOfDay(w)), Day: w.Day}
}

func hashOf(b []byte) [sha256.Size]byte { return sha256.Sum256(b) }

// day returns the day in IST on which a time is.
func day(t time.Time) string { return t.In(IST).Format(time.DateOnly) }
