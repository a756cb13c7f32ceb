package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// Short names, because the table below is read far more often than it is written.
const (
	unset      = ledgerv1.Status_STATUS_UNSPECIFIED
	approved   = ledgerv1.Status_STATUS_APPROVED
	packing    = ledgerv1.Status_STATUS_PACKING_IN_PROGRESS
	formFailed = ledgerv1.Status_STATUS_FORM_FAILED
	packed     = ledgerv1.Status_STATUS_PACKED
	ready      = ledgerv1.Status_STATUS_READY_TO_DISPATCH
	pickedUp   = ledgerv1.Status_STATUS_PICKUP_COMPLETE
	shipped    = ledgerv1.Status_STATUS_SHIPPED
	delivered  = ledgerv1.Status_STATUS_DELIVERED
	completed  = ledgerv1.Status_STATUS_COMPLETED
	cancelled  = ledgerv1.Status_STATUS_CANCELLED
	requested  = ledgerv1.Status_STATUS_RETURN_REQUESTED
	returned   = ledgerv1.Status_STATUS_RETURNED

	statuses = int(returned) + 1
)

// treatment is what a cell of the table says of an input.
type treatment uint8

const (
	// refuse rejects a command with the cell's code, INVALID_ITEM_STATE when it has none. It is the zero value: what
	// the table does not name is closed.
	refuse treatment = iota
	// move leads to the cell's state.
	move
	// stay is allowed and leads nowhere.
	stay
	// late fills a time that is unknown or inferred, else the fact is stale.
	late
	// stale changes nothing: the state has moved on.
	stale
	// repeat changes nothing: its effect is there.
	repeat
	// forward looks at the forward state of each item, below its returns: facts know nothing of returns.
	forward
	// contradict leads to the cell's state and marks the event as irregular.
	contradict
)

// cell is one entry of a table: how an input is treated in a state.
type cell[S ~int32] struct {
	does treatment
	to   S
	code Code
}

// row is a kind of input as the table of forward states knows it.
type row uint8

// Rows of the table of forward states: commands, then facts.
const (
	rowRequestLabels row = iota
	rowCompletePacking
	rowFailForms
	rowAcknowledgeForms
	rowDispatch
	rowCancel
	rowDispatchSelfShip
	rowAttemptDelivery
	rowConfirmDelivery
	rowUpdateTracking
	rowActivateService
	rowReportedPacking
	rowReportedPacked
	rowReportedReady
	rowReportedPickedUp
	rowReportedShipped
	rowReportedDelivered
	rowReportedCompleted
	rowReportedFormFailed
	rowReportedCancelled
	rowReportedHold
	rowReportedUnhold
	rowReportedDates
	rowReportedProperties
	rowReportedReturn
	rows
)

type (
	statusCells = [statuses]cell[ledgerv1.Status]
	statusCell  = cell[ledgerv1.Status]
)

func to(s ledgerv1.Status) statusCell { return statusCell{does: move, to: s} }
func no(code Code) statusCell         { return statusCell{code: code} }
func only(t treatment) statusCell     { return statusCell{does: t} }

// transitions is the table of forward states: what each input does in each of the twelve states. Commands look at the
// state of the shipment, those that name items at the items'; facts look at the forward state of each item.
//
//nolint:gochecknoglobals // The table is the one place that says what leads where; it is never written.
var transitions = [rows]statusCells{
	rowRequestLabels: {
		approved: to(packing), formFailed: to(packing), packing: no(CodeItemPackingInProgress),
		ready: no(CodeItemAlreadyDispatched), pickedUp: no(CodeItemAlreadyDispatched), shipped: no(CodeItemAlreadyDispatched),
		delivered: no(CodeItemAlreadyDispatched), completed: no(CodeItemAlreadyDispatched), cancelled: no(CodeItemAlreadyCancelled),
	},
	rowCompletePacking: {
		approved: only(stale), packing: to(packed), formFailed: only(stale), packed: only(repeat), ready: only(repeat),
		pickedUp: only(repeat), shipped: only(repeat), delivered: only(repeat), completed: only(repeat),
		cancelled: only(stale), requested: only(stale), returned: only(stale),
	},
	rowFailForms: {
		approved: only(stale), packing: to(formFailed), formFailed: only(repeat), packed: only(stale), ready: only(stale),
		pickedUp: only(stale), shipped: only(stale), delivered: only(stale), completed: only(stale),
		cancelled: only(stale), requested: only(stale), returned: only(stale),
	},
	rowAcknowledgeForms: {
		formFailed: to(packing), packing: no(CodeItemPackingInProgress), cancelled: no(CodeItemAlreadyCancelled),
	},
	rowDispatch: {
		approved: no(CodeItemNotPacked), packing: no(CodeItemPackingInProgress), formFailed: no(CodeItemNotPacked), packed: to(ready),
		ready: no(CodeItemAlreadyDispatched), pickedUp: no(CodeItemAlreadyDispatched), shipped: no(CodeItemAlreadyDispatched),
		delivered: no(CodeItemAlreadyDispatched), completed: no(CodeItemAlreadyDispatched), cancelled: no(CodeItemAlreadyCancelled),
	},
	rowCancel: {
		approved: to(cancelled), packing: to(cancelled), formFailed: to(cancelled), cancelled: no(CodeItemAlreadyCancelled),
	},
	rowDispatchSelfShip: {
		approved: to(shipped), shipped: no(CodeItemAlreadyDispatched), delivered: no(CodeItemAlreadyDispatched),
		completed: no(CodeItemAlreadyDispatched), cancelled: no(CodeItemAlreadyCancelled),
	},
	rowAttemptDelivery: {shipped: only(stay), cancelled: no(CodeItemAlreadyCancelled)},
	rowConfirmDelivery: {shipped: to(delivered), cancelled: no(CodeItemAlreadyCancelled)},
	rowUpdateTracking:  {shipped: only(stay), cancelled: no(CodeItemAlreadyCancelled)},
	rowActivateService: {
		approved: only(stay), packing: only(stay), formFailed: only(stay), packed: only(stay), ready: only(stay),
		pickedUp: only(stay), shipped: only(stay), delivered: only(stay), completed: only(stay),
		cancelled: no(CodeItemAlreadyCancelled), requested: only(stay),
	},
	rowReportedPacking:   climb(packing),
	rowReportedPacked:    climb(packed),
	rowReportedReady:     climb(ready),
	rowReportedPickedUp:  climb(pickedUp),
	rowReportedShipped:   climb(shipped),
	rowReportedDelivered: climb(delivered),
	rowReportedCompleted: climb(completed),
	rowReportedFormFailed: {
		approved: to(formFailed), packing: to(formFailed), formFailed: only(stay), packed: only(stale), ready: only(stale),
		pickedUp: only(stale), shipped: only(stale), delivered: only(stale), completed: only(stale),
		cancelled: only(stale), requested: only(forward), returned: only(forward),
	},
	rowReportedCancelled: {
		approved: to(cancelled), packing: to(cancelled), formFailed: to(cancelled), packed: to(cancelled),
		ready: to(cancelled), pickedUp: to(cancelled),
		shipped: against(cancelled), delivered: against(cancelled), completed: against(cancelled),
		cancelled: only(repeat), requested: only(forward), returned: only(forward),
	},
	rowReportedHold:       everywhere(stay, stale),
	rowReportedUnhold:     everywhere(stay, stay),
	rowReportedDates:      everywhere(stay, stay),
	rowReportedProperties: everywhere(stay, stay),
	rowReportedReturn: {
		approved: to(shipped), packing: to(shipped), formFailed: to(shipped), packed: to(shipped), ready: to(shipped),
		pickedUp: to(shipped), shipped: only(stay), delivered: only(stay), completed: only(stay),
		cancelled: only(stay), requested: only(forward), returned: only(forward),
	},
}

func against(s ledgerv1.Status) statusCell { return statusCell{does: contradict, to: s} }

// climb is the row of a fact that says how far the goods have gone: it moves what ranks lower and is late elsewhere.
func climb(target ledgerv1.Status) statusCells {
	var r statusCells
	for s := approved; s <= completed; s++ {
		r[s] = only(late)
		if rank(s) < rank(target) {
			r[s] = to(target)
		}
	}
	r[cancelled], r[requested], r[returned] = only(late), only(forward), only(forward)
	return r
}

func everywhere(alive, dead treatment) statusCells {
	var r statusCells
	for s := approved; s <= completed; s++ {
		r[s] = only(alive)
	}
	r[cancelled], r[requested], r[returned] = only(dead), only(forward), only(forward)
	return r
}

// rowOf gives the row of a fact that says how far the goods have gone.
func rowOf(s ledgerv1.Status) (row, bool) {
	switch s {
	case packing:
		return rowReportedPacking, true
	case packed:
		return rowReportedPacked, true
	case ready:
		return rowReportedReady, true
	case pickedUp:
		return rowReportedPickedUp, true
	case shipped:
		return rowReportedShipped, true
	case delivered:
		return rowReportedDelivered, true
	case completed:
		return rowReportedCompleted, true
	default:
		return 0, false
	}
}

// at looks a cell up; a status that the table does not know is closed.
func (r row) at(s ledgerv1.Status) statusCell {
	if r >= rows || s < 0 || int(s) >= statuses {
		return statusCell{}
	}
	return transitions[r][s]
}

// moves reports whether the input moves this item.
func (r row) moves(it *ledgerv1.Item) bool {
	does := r.at(forwardOf(it)).does
	return does == move || does == contradict
}
