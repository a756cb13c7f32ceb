package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

const (
	rmaRequested = ledgerv1.ReturnStatus_RETURN_STATUS_REQUESTED
	rmaCreated   = ledgerv1.ReturnStatus_RETURN_STATUS_CREATED
	rmaApproved  = ledgerv1.ReturnStatus_RETURN_STATUS_APPROVED
	rmaPickedUp  = ledgerv1.ReturnStatus_RETURN_STATUS_PICKED_UP
	rmaCompleted = ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED
	rmaRejected  = ledgerv1.ReturnStatus_RETURN_STATUS_REJECTED
	rmaCancelled = ledgerv1.ReturnStatus_RETURN_STATUS_CANCELLED

	returnStatuses = int(rmaCancelled) + 1

	fromCustomer = ledgerv1.ReturnSource_RETURN_SOURCE_CUSTOMER
	fromCourier  = ledgerv1.ReturnSource_RETURN_SOURCE_COURIER
)

// returnRow is a kind of input in the table of returns.
type returnRow uint8

// Rows of the table of returns: first commands, which only self-ship sellers give, then facts.
const (
	rowRequestTechVisit returnRow = iota
	rowAttemptTechVisit
	rowApproveReturn
	rowRejectReturn
	rowCompleteReturn
	rowPickUpReturn
	rowAttemptPickup
	rowCancelReturn
	rowReturnApproved
	rowReturnRejected
	rowReturnPickedUp
	rowReturnCompleted
	rowReturnCancelled
	returnRows
)

type returnCell = cell[ledgerv1.ReturnStatus]

// returnCells is a row: which returns the input is for, and what it does in each of their states.
type returnCells struct {
	// source is unset where the input is for returns of both kinds.
	source ledgerv1.ReturnSource
	cells  [returnStatuses]returnCell
}

func back(t treatment, s ledgerv1.ReturnStatus) returnCell { return returnCell{does: t, to: s} }

// returnTransitions is the table of returns. A command that finds no cell gets INVALID_RETURN_STATE.
//
// A customer return (the marketplace's RVP) is approved or rejected, then picked up. A courier return (RTO) needs no
// approval: the goods never arrived, and the seller can only confirm that they are back, or that they were delivered
// after all. A fact that ends a return in another way than it has already ended contradicts it: it is stale, unless it
// happened first.
//
//nolint:gochecknoglobals // See transitions.
var returnTransitions = [returnRows]returnCells{
	rowRequestTechVisit: {source: fromCustomer, cells: [returnStatuses]returnCell{rmaRequested: {does: stay}}},
	rowAttemptTechVisit: {source: fromCustomer, cells: [returnStatuses]returnCell{rmaRequested: {does: stay}}},
	rowApproveReturn:    {source: fromCustomer, cells: [returnStatuses]returnCell{rmaRequested: back(move, rmaApproved)}},
	rowRejectReturn:     {source: fromCustomer, cells: [returnStatuses]returnCell{rmaRequested: back(move, rmaRejected)}},
	rowCompleteReturn:   {source: fromCourier, cells: [returnStatuses]returnCell{rmaApproved: back(move, rmaCompleted)}},
	rowPickUpReturn:     {source: fromCustomer, cells: [returnStatuses]returnCell{rmaApproved: back(move, rmaCompleted)}},
	rowAttemptPickup:    {source: fromCustomer, cells: [returnStatuses]returnCell{rmaApproved: {does: stay}}},
	rowCancelReturn:     {source: fromCourier, cells: [returnStatuses]returnCell{rmaApproved: back(move, rmaCancelled)}},
	rowReturnApproved: {cells: [returnStatuses]returnCell{
		rmaRequested: back(move, rmaApproved), rmaCreated: back(move, rmaApproved), rmaApproved: {does: late},
		rmaPickedUp: {does: late}, rmaCompleted: {does: late},
		rmaRejected: {does: late}, rmaCancelled: {does: late},
	}},
	rowReturnRejected: {cells: [returnStatuses]returnCell{
		rmaRequested: back(move, rmaRejected), rmaCreated: back(move, rmaRejected), rmaApproved: back(move, rmaRejected),
		rmaPickedUp: back(contradict, rmaRejected), rmaCompleted: back(contradict, rmaRejected), rmaRejected: {does: late},
		rmaCancelled: back(contradict, rmaRejected),
	}},
	rowReturnPickedUp: {cells: [returnStatuses]returnCell{
		rmaRequested: back(move, rmaPickedUp), rmaCreated: back(move, rmaPickedUp), rmaApproved: back(move, rmaPickedUp),
		rmaPickedUp: {does: late}, rmaCompleted: {does: late}, rmaRejected: {does: late}, rmaCancelled: {does: late},
	}},
	rowReturnCompleted: {cells: [returnStatuses]returnCell{
		rmaRequested: back(move, rmaCompleted), rmaCreated: back(move, rmaCompleted), rmaApproved: back(move, rmaCompleted),
		rmaPickedUp: back(move, rmaCompleted), rmaCompleted: {does: late}, rmaRejected: back(contradict, rmaCompleted),
		rmaCancelled: back(contradict, rmaCompleted),
	}},
	rowReturnCancelled: {cells: [returnStatuses]returnCell{
		rmaRequested: back(move, rmaCancelled), rmaCreated: back(move, rmaCancelled), rmaApproved: back(move, rmaCancelled),
		rmaPickedUp: back(move, rmaCancelled), rmaCompleted: back(contradict, rmaCancelled),
		rmaRejected: back(contradict, rmaCancelled), rmaCancelled: {does: late},
	}},
}

// at looks up a cell. A status from a later version of the schema is closed.
func (r returnRow) at(s ledgerv1.ReturnStatus) returnCell {
	if r >= returnRows || s < 0 || int(s) >= returnStatuses {
		return returnCell{}
	}
	return returnTransitions[r].cells[s]
}

// returnRowOf returns the row of a fact about a return.
func returnRowOf(s ledgerv1.ReturnStatus) (returnRow, bool) {
	switch s {
	case rmaApproved:
		return rowReturnApproved, true
	case rmaRejected:
		return rowReturnRejected, true
	case rmaPickedUp:
		return rowReturnPickedUp, true
	case rmaCompleted:
		return rowReturnCompleted, true
	case rmaCancelled:
		return rowReturnCancelled, true
	default:
		return 0, false
	}
}
