package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// followUps emits what follows by itself from where things stand: services end with their items, begin with their
// delivery, and items complete when nothing is left to do. One event can lead to the next, so it goes on until none.
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

// cancelServices ends open services of items that have no live units or are back.
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
	return &Event{Body: &ledgerv1.Event_ServiceCancelled{ServiceCancelled: &ledgerv1.ServiceCancelled{At: at, ServiceIds: ids}}}
}

// startServices begins services whose item has arrived.
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
	return &Event{Body: &ledgerv1.Event_ServiceStarted{ServiceStarted: &ledgerv1.ServiceStarted{At: at, ServiceIds: ids}}}
}

// completeItems completes items that have arrived and whose services are over; self-ship items need none.
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

// isOpen reports whether something is left to do for a service.
func isOpen(v *ledgerv1.Service) bool {
	return v.GetStatus() != serviceCompleted && v.GetStatus() != serviceCancelled
}
