package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// followUps emits the events that follow from the state without another input: services are cancelled with their items
// and start at delivery, and items complete when nothing is left to do. One event can lead to the next, so it repeats
// until none follows. The bound keeps a mistake in a rule from stopping the lane: each round moves a service or
// completes an item.
func (x *decider) followUps(at *ledgerv1.Moment) {
	if len(x.s.GetServices()) == 0 && x.s.GetFulfilment() != selfShip {
		return
	}
	for range len(x.s.GetServices()) + len(x.s.GetItems()) + 1 {
		e := x.cancelServices(at)
		if e == nil {
			e = x.startServices(at)
		}
		if e == nil {
			e = x.completeItems(at)
		}
		if e == nil {
			return
		}
		x.emit(e)
	}
}

// cancelServices cancels the open services of items that have no live units or are returned.
func (x *decider) cancelServices(at *ledgerv1.Moment) *Event {
	var ids []string
	for _, v := range x.s.GetServices() {
		if v.GetKind() != kindForward || rowCancelService.at(v).does != move {
			continue
		}
		if i := indexOf(x.s.GetItems(), v.GetOrderItemId()); i >= 0 {
			if s := x.s.Items[i].GetStatus(); s == cancelled || s == returned {
				ids = append(ids, v.GetServiceId())
			}
		}
	}
	if ids == nil {
		return nil
	}
	b := &ledgerv1.ServiceCancelled{At: at, ServiceIds: ids}
	return &Event{Body: &ledgerv1.Event_ServiceCancelled{ServiceCancelled: b}}
}

// startServices starts the services of items that have arrived.
func (x *decider) startServices(at *ledgerv1.Moment) *Event {
	var ids []string
	for _, v := range x.s.GetServices() {
		if rowStartService.at(v).does != move {
			continue
		}
		if i := indexOf(x.s.GetItems(), v.GetOrderItemId()); i >= 0 && rank(forwardOf(x.s.Items[i])) >= rank(delivered) {
			ids = append(ids, v.GetServiceId())
		}
	}
	if ids == nil {
		return nil
	}
	b := &ledgerv1.ServiceStarted{At: at, ServiceIds: ids}
	return &Event{Body: &ledgerv1.Event_ServiceStarted{ServiceStarted: b}}
}

// completeItems completes items that have arrived and whose services have ended. Without a service, only self-ship
// items complete: for the others the marketplace decides when an order is completed, and a pull finds it.
func (x *decider) completeItems(at *ledgerv1.Moment) *Event {
	var ids []string
	for _, it := range x.s.GetItems() {
		if forwardOf(it) != delivered || it.GetStatus() == returned {
			continue
		}
		some, over := false, true
		for _, v := range x.s.GetServices() {
			if v.GetOrderItemId() == it.GetOrderItemId() && v.GetKind() == kindForward {
				some, over = true, over && !isOpen(v)
			}
		}
		if over && (some || x.s.GetFulfilment() == selfShip) {
			ids = append(ids, it.GetOrderItemId())
		}
	}
	if ids == nil {
		return nil
	}
	return stepEvent(completed, at, ids)
}

// isOpen reports whether a service has yet to end.
func isOpen(v *ledgerv1.Service) bool {
	return v.GetStatus() != serviceCompleted && v.GetStatus() != serviceCancelled
}
