package shipment

import (
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const (
	serviceActivated = ledgerv1.ServiceStatus_SERVICE_STATUS_ACTIVATED
	serviceRequested = ledgerv1.ServiceStatus_SERVICE_STATUS_REQUESTED
	serviceRunning   = ledgerv1.ServiceStatus_SERVICE_STATUS_IN_PROGRESS
	serviceCompleted = ledgerv1.ServiceStatus_SERVICE_STATUS_COMPLETED
	serviceCancelled = ledgerv1.ServiceStatus_SERVICE_STATUS_CANCELLED

	kindForward = ledgerv1.ServiceKind_SERVICE_KIND_FORWARD
	kindVisit   = ledgerv1.ServiceKind_SERVICE_KIND_TECH_VISIT
)

func serviceIndex(list []*ledgerv1.Service, id string) int {
	return slices.IndexFunc(list, func(v *ledgerv1.Service) bool { return v.GetServiceId() == id })
}

func (d *draft) serviceActivated(b *ledgerv1.ServiceActivated) {
	d.addService(&ledgerv1.Service{
		ServiceId: b.GetServiceId(), OrderItemId: b.GetOrderItemId(), Kind: kindForward, Status: serviceActivated,
		FirstDueAt: b.GetDueAt(), DueAt: b.GetDueAt(), Activated: b.GetAt(), Description: b.GetDescription(),
	})
}

// serviceStarted starts the clock of a service: the promise to do it counts from the delivery of its item.
func (d *draft) serviceStarted(b *ledgerv1.ServiceStarted) {
	for _, id := range b.GetServiceIds() {
		i := serviceIndex(d.Services, id)
		if i < 0 {
			continue
		}
		v := d.service(i)
		v.Status, v.Started = serviceRunning, b.GetAt()
		d.open(clockService, id, b.GetAt().GetAt(), v.GetDueAt())
	}
}

// attempted counts a failed attempt. A new date postpones the service, and is no promise where there was none.
func (d *draft) attempted(id string, kind ledgerv1.ClockKind, at *ledgerv1.Moment, newDue *timestamppb.Timestamp) {
	i := serviceIndex(d.Services, id)
	if i < 0 {
		return
	}
	v := d.service(i)
	v.Attempts++
	v.LastAttempt = at
	if v.DueAt != nil {
		v.DueAt = latest(v.DueAt, newDue)
	}
	d.attempt(kind, id, at.GetAt(), newDue)
}

func (d *draft) serviceCompleted(id string, at *ledgerv1.Moment) {
	if i := serviceIndex(d.Services, id); i >= 0 {
		v := d.service(i)
		v.Status, v.Completed = serviceCompleted, at
	}
}

// servicesCancelled cancels services; their clocks are cancelled with them.
func (d *draft) servicesCancelled(ids []string, at *ledgerv1.Moment) {
	for _, id := range ids {
		if i := serviceIndex(d.Services, id); i >= 0 {
			v := d.service(i)
			v.Status, v.Cancelled = serviceCancelled, at
		}
	}
}

// techVisitRequested starts the clock at once: the promise is the visit, not what it finds.
func (d *draft) techVisitRequested(b *ledgerv1.TechVisitRequested) {
	d.addService(&ledgerv1.Service{
		ServiceId: b.GetServiceId(), OrderItemId: b.GetOrderItemId(), ReturnId: b.GetReturnId(), Kind: kindVisit,
		Status: serviceRequested, FirstDueAt: b.GetDueAt(), DueAt: b.GetDueAt(), Activated: b.GetAt(),
		Description: b.GetDescription(),
	})
	d.open(clockVisit, b.GetServiceId(), b.GetAt().GetAt(), b.GetDueAt())
}

// techVisitCancelled cancels a visit, and its clock with it. A visit that led to a rejection took place, but was not
// completed.
func (d *draft) techVisitCancelled(b *ledgerv1.TechVisitCancelled) {
	i := serviceIndex(d.Services, b.GetServiceId())
	if i < 0 {
		return
	}
	v := d.service(i)
	v.Status, v.Cancelled = serviceCancelled, b.GetAt()
}
