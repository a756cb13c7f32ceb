package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// activate orders a forward service. If the item has arrived, the service starts at once; if the item has no live
// units, it is cancelled at once.
func (x *decider) activate(v ActivateService, at *ledgerv1.Moment) {
	x.follow(&Event{Body: &ledgerv1.Event_ServiceActivated{ServiceActivated: &ledgerv1.ServiceActivated{
		At: at, ServiceId: v.ServiceID, OrderItemId: v.OrderItemID, DueAt: stamp(v.DueAt), Description: v.Description,
	}}}, at)
}

// activateService is the command to order a forward service for an item of a self-ship shipment.
func (x *decider) activateService(c ActivateService) {
	if !x.flow(selfShip) {
		return
	}
	i := indexOf(x.s.GetItems(), c.OrderItemID)
	if i < 0 {
		x.refuse(CodeInvalidItemID, "It has no item "+clip(c.OrderItemID)+"; name one of its own.")
		return
	}
	if !goodID(c.ServiceID) || !x.promisable(c.DueAt) {
		x.refuse(CodeInvalidService, "Give an id for the service and a date that can be met.")
		return
	}
	if k := serviceIndex(x.s.GetServices(), c.ServiceID); k >= 0 {
		if v := x.s.Services[k]; v.GetKind() != kindForward || v.GetOrderItemId() != c.OrderItemID {
			x.refuse(CodeInvalidService, "Service "+c.ServiceID+" belongs to another item or return; choose another id.")
			return
		}
		x.accept()
		return
	}
	if cell := rowActivateService.at(x.s.Items[i].GetStatus()); cell.does != stay {
		x.refuseCell(cell,
			"Item "+c.OrderItemID+" is "+statusName(x.s.Items[i].GetStatus())+" and can have no more services.")
		return
	}
	x.activate(c, reported(x.now))
	x.accept()
}

// service finds the service of a command. The marketplace's official client cannot send the id; then the shipment must
// have exactly one service that the command can apply to.
func (x *decider) service(id string, open func(*ledgerv1.Service) bool) *ledgerv1.Service {
	if id != "" {
		if i := serviceIndex(x.s.GetServices(), id); i >= 0 {
			return x.s.Services[i]
		}
		x.refuse(CodeInvalidService, "It has no service "+clip(id)+"; check the id.")
		return nil
	}
	var found *ledgerv1.Service
	for _, v := range x.s.GetServices() {
		if !open(v) {
			continue
		}
		if found != nil {
			x.refuse(CodeInvalidService, "It has several open services; give the id of one.")
			return nil
		}
		found = v
	}
	if found == nil {
		x.refuse(CodeInvalidService, "It has no open service.")
	}
	return found
}

// attemptService counts a failed attempt at a forward service, or at the tech visit of a return.
func (x *decider) attemptService(c AttemptService) {
	if !x.flow(selfShip) {
		return
	}
	v := x.service(c.ServiceID, func(v *ledgerv1.Service) bool { return rowAttemptService.at(v).does == stay })
	if v == nil {
		return
	}
	if rowAttemptService.at(v).does != stay {
		x.refuseService(v, "An attempt needs a service that has started and has not ended."+startsLater(v))
		return
	}
	began := v.GetStarted()
	if v.GetKind() == kindVisit {
		began = v.GetActivated()
	}
	at, ok := x.pastDate(c.At, "the attempt", began)
	if !ok {
		return
	}
	newDue, ok := x.newDue(c.NewDue)
	if !ok {
		return
	}
	if v.GetKind() == kindVisit {
		x.emit(&Event{Body: &ledgerv1.Event_TechVisitAttempted{TechVisitAttempted: &ledgerv1.TechVisitAttempted{
			At: at, ServiceId: v.GetServiceId(), ReturnId: v.GetReturnId(), Reason: c.Reason, SubReason: c.SubReason,
			Comments: c.Comments, NewDue: newDue,
		}}})
	} else {
		x.emit(&Event{Body: &ledgerv1.Event_ServiceAttempted{ServiceAttempted: &ledgerv1.ServiceAttempted{
			At: at, ServiceId: v.GetServiceId(), Reason: c.Reason, SubReason: c.SubReason,
			Comments: c.Comments, NewDue: newDue,
		}}})
	}
	x.accept()
}

// completeService completes a forward service. The item completes with its last service.
func (x *decider) completeService(c CompleteService) {
	if !x.flow(selfShip) {
		return
	}
	v := x.service(c.ServiceID, func(v *ledgerv1.Service) bool { return rowCompleteService.at(v).does == move })
	if v == nil {
		return
	}
	if rowCompleteService.at(v).does != move {
		advice := "A service can be completed while it is in progress." + startsLater(v)
		if v.GetKind() == kindVisit {
			advice = "It is the tech visit of return " + v.GetReturnId() + ": approve or reject that."
		}
		x.refuseService(v, advice)
		return
	}
	at, ok := x.pastDate(c.At, "the service", v.GetStarted())
	if !ok {
		return
	}
	x.follow(&Event{Body: &ledgerv1.Event_ServiceCompleted{ServiceCompleted: &ledgerv1.ServiceCompleted{
		At: at, ServiceId: v.GetServiceId(),
	}}}, at)
	x.accept()
}

// startsLater says when a service that has not started will: the seller starts it with another command.
func startsLater(v *ledgerv1.Service) string {
	if v.GetStatus() != serviceActivated {
		return ""
	}
	return " It starts with the delivery of item " + v.GetOrderItemId() + "; confirm that first."
}

// refuseService names the service and its state, as refuse names the shipment.
func (x *decider) refuseService(v *ledgerv1.Service, advice string) {
	x.refuse(CodeInvalidServiceState, "Service "+v.GetServiceId()+" is "+serviceName(v.GetStatus())+". "+advice)
}
