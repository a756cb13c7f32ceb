package shipment

import (
	"strings"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const serviceStatuses = int(serviceCancelled) + 1

// serviceRow is a kind of input as the table of services knows it.
type serviceRow uint8

// Rows of the table of services: commands, then what follows from events of the item or the return.
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

// serviceTransitions is the table of services: forward services go from ACTIVATED through IN_PROGRESS, tech visits
// from REQUESTED.
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
