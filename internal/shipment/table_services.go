package shipment

import (
	"strings"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const serviceStatuses = int(serviceCancelled) + 1

// serviceRow is a kind of input in the table of services.
type serviceRow uint8

// Rows of the table of services: first commands, then events of the item or the return.
const (
	rowAttemptService serviceRow = iota
	rowCompleteService
	rowStartService
	rowCancelService
	rowVisitApproved
	rowVisitRejected
	serviceRows
)

type serviceCell = cell[ledgerv1.ServiceStatus]

// serviceTransitions is the table of services. Forward services start at ACTIVATED and pass IN_PROGRESS. Tech visits
// start at REQUESTED, and end with the decision about their return: approval completes the visit, rejection cancels it.
// That is how the marketplace shows them.
//
//nolint:gochecknoglobals // See transitions.
var serviceTransitions = [serviceRows][serviceStatuses]serviceCell{
	rowAttemptService:  {serviceRunning: {does: stay}, serviceRequested: {does: stay}},
	rowCompleteService: {serviceRunning: {does: move, to: serviceCompleted}},
	rowStartService:    {serviceActivated: {does: move, to: serviceRunning}},
	rowCancelService: {
		serviceActivated: {does: move, to: serviceCancelled}, serviceRunning: {does: move, to: serviceCancelled},
		serviceRequested: {does: move, to: serviceCancelled},
	},
	rowVisitApproved: {serviceRequested: {does: move, to: serviceCompleted}},
	rowVisitRejected: {serviceRequested: {does: move, to: serviceCancelled}},
}

// at looks up the cell of a service. A status from a later version of the schema is closed.
func (r serviceRow) at(v *ledgerv1.Service) serviceCell {
	s := v.GetStatus()
	if r >= serviceRows || s < 0 || int(s) >= serviceStatuses {
		return serviceCell{}
	}
	return serviceTransitions[r][s]
}

func serviceName(s ledgerv1.ServiceStatus) string {
	return strings.TrimPrefix(s.String(), "SERVICE_STATUS_")
}

func returnName(s ledgerv1.ReturnStatus) string {
	return strings.TrimPrefix(s.String(), "RETURN_STATUS_")
}
