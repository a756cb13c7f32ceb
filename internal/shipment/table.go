package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// Short names, because the table below is read far more often than it is written. They name statuses everywhere in the
// package.
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

// treatment is how a cell of the table treats an input.
type treatment uint8

const (
	// refuse rejects a command with the cell's code, INVALID_ITEM_STATE when it has none. It is the zero value, so that
	// a cell that nobody filled in is closed.
	refuse treatment = iota
	// move leads to the cell's state.
	move
	// stay is allowed and leads nowhere.
	stay
	// late fills a time that is unknown or inferred; if there is none, the fact is stale.
	late
	// stale changes nothing: the state has moved on.
	stale
	// repeat changes nothing: the input was already applied.
	repeat
	// forward decides by the forward state of each item, below its returns: facts about the way out ignore returns.
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

// row is a kind of input in the table of forward states.
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

// Constructors of cells, named so that the table reads like sentences.
func to(s ledgerv1.Status) statusCell { return statusCell{does: move, to: s} }
func no(code Code) statusCell         { return statusCell{code: code} }
func only(t treatment) statusCell     { return statusCell{does: t} }

// transitions is the table of forward states: what each input does in each of the twelve states. Commands are judged by
// the state of the shipment, or of the items that they name. Facts are judged by the forward state of each item,
// because the marketplace reports the way out without regard to returns.
//
// Facts never find a closed cell. The goods have moved whether we expected it or not, and the marketplace would block
// everything behind a notification that we reject.
//
//nolint:gochecknoglobals // The table is the one place that holds all transitions; nothing writes to it.
var transitions = [rows]statusCells{
	rowRequestLabels: {
		approved: to(packing), formFailed: to(packing), packing: no(CodeItemPackingInProgress),
		ready: no(CodeItemAlreadyDispatched), pickedUp: no(CodeItemAlreadyDispatched),
		shipped: no(CodeItemAlreadyDispatched), delivered: no(CodeItemAlreadyDispatched),
		completed: no(CodeItemAlreadyDispatched), cancelled: no(CodeItemAlreadyCancelled),
	},
	// The packing worker's results may arrive late. If the shipment was cancelled they are stale and not rejected, because
	// nobody made a mistake. If it is packed already, by the marketplace or with more units, it gets these documents.
	rowCompletePacking: {
		approved: only(stale), packing: to(packed), formFailed: only(stale), packed: only(stay), ready: only(stay),
		pickedUp: only(stay), shipped: only(stay), delivered: only(stay), completed: only(stay),
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
		approved: no(CodeItemNotPacked), packing: no(CodeItemPackingInProgress), formFailed: no(CodeItemNotPacked),
		packed: to(ready), ready: no(CodeItemAlreadyDispatched), pickedUp: no(CodeItemAlreadyDispatched),
		shipped: no(CodeItemAlreadyDispatched), delivered: no(CodeItemAlreadyDispatched),
		completed: no(CodeItemAlreadyDispatched), cancelled: no(CodeItemAlreadyCancelled),
	},
	// The seller may cancel until packing is done. From then on only the marketplace can.
	rowCancel: {
		approved: to(cancelled), packing: to(cancelled), formFailed: to(cancelled), cancelled: no(CodeItemAlreadyCancelled),
	},
	// A self-ship seller packs outside this system, so one command leads from APPROVED to SHIPPED.
	rowDispatchSelfShip: {
		approved: to(shipped), shipped: no(CodeItemAlreadyDispatched), delivered: no(CodeItemAlreadyDispatched),
		completed: no(CodeItemAlreadyDispatched), cancelled: no(CodeItemAlreadyCancelled),
	},
	rowAttemptDelivery: {shipped: only(stay), cancelled: no(CodeItemAlreadyCancelled)},
	rowConfirmDelivery: {shipped: to(delivered), cancelled: no(CodeItemAlreadyCancelled)},
	rowUpdateTracking:  {shipped: only(stay), cancelled: no(CodeItemAlreadyCancelled)},
	// A service can be ordered at any time, even after its item is completed. It then starts at once.
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
	// Failed forms matter while the shipment is being packed. Later somebody has already dealt with them.
	rowReportedFormFailed: {
		approved: to(formFailed), packing: to(formFailed), formFailed: only(stay), packed: only(stale), ready: only(stale),
		pickedUp: only(stale), shipped: only(stale), delivered: only(stale), completed: only(stale),
		cancelled: only(stale), requested: only(forward), returned: only(forward),
	},
	// A cancellation applies from any state. From SHIPPED on it contradicts what was reported before: the goods are on
	// their way. It is applied all the same, because the marketplace has cancelled the order.
	rowReportedCancelled: {
		approved: to(cancelled), packing: to(cancelled), formFailed: to(cancelled), packed: to(cancelled),
		ready: to(cancelled), pickedUp: to(cancelled),
		shipped: against(cancelled), delivered: against(cancelled), completed: against(cancelled),
		cancelled: only(repeat), requested: only(forward), returned: only(forward),
	},
	// A hold, a new date or a new field can come in any state and leads nowhere. Only a hold needs a live unit.
	rowReportedHold:       everywhere(stay, stale),
	rowReportedUnhold:     everywhere(stay, stay),
	rowReportedDates:      everywhere(stay, stay),
	rowReportedProperties: everywhere(stay, stay),
	// A return implies that the goods were shipped, but not that they arrived: the courier may have turned round.
	rowReportedReturn: {
		approved: to(shipped), packing: to(shipped), formFailed: to(shipped), packed: to(shipped), ready: to(shipped),
		pickedUp: to(shipped), shipped: only(stay), delivered: only(stay), completed: only(stay),
		cancelled: only(stay), requested: only(forward), returned: only(forward),
	},
}

// against is a cell that moves although it contradicts an earlier fact.
func against(s ledgerv1.Status) statusCell { return statusCell{does: contradict, to: s} }

// climb is the row of a fact that reports how far the goods have gone: it moves items of a lower rank, and for all
// others it is late.
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

// everywhere is the row of a fact that is treated alike in all states but CANCELLED.
func everywhere(alive, dead treatment) statusCells {
	var r statusCells
	for s := approved; s <= completed; s++ {
		r[s] = only(alive)
	}
	r[cancelled], r[requested], r[returned] = only(dead), only(forward), only(forward)
	return r
}

// rowOf returns the row of a fact that reports how far the goods have gone.
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

// at looks up a cell. A status from a later version of the schema is closed.
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
