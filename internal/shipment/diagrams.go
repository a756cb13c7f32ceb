package shipment

import (
	"fmt"
	"strings"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Diagrams draws the tables as a page of Markdown: a Mermaid state diagram of each flow, of returns and of services,
// and below them the whole table of forward states. It reads nothing but the tables, and a test compares its result
// with the page, so that the page stays right.
func Diagrams() string {
	var b strings.Builder
	b.WriteString("## Standard flow\n\n")
	drawForward(&b, standardLine, standardRows())
	b.WriteString("\n## Self-ship flow\n\n")
	drawForward(&b, selfShipLine, selfShipRows())
	b.WriteString("\nA fact can jump: `shipment_delivered` leads to DELIVERED from any state before it, and the " +
		"event names the skipped\nstates. The diagrams show only the step from the state right before.\n")
	b.WriteString("\n## Returns\n\n")
	drawReturns(&b)
	b.WriteString("\n## Services and tech visits\n\n")
	drawServices(&b)
	b.WriteString("\n## Every input in every state\n\n")
	drawTable(&b)
	return b.String()
}

// rowName names a row for people: a command in words, a fact by its notification.
func rowName(r row) string {
	names := [rows]string{
		rowRequestLabels:      "request labels",
		rowCompletePacking:    "documents ready",
		rowFailForms:          "documents failed",
		rowAcknowledgeForms:   "acknowledge forms",
		rowDispatch:           "dispatch",
		rowCancel:             "cancel",
		rowDispatchSelfShip:   "dispatch self-ship",
		rowAttemptDelivery:    "attempt delivery",
		rowConfirmDelivery:    "confirm delivery",
		rowUpdateTracking:     "update tracking",
		rowActivateService:    "activate service",
		rowReportedPacking:    "found PACKING_IN_PROGRESS",
		rowReportedPacked:     "shipment_packed",
		rowReportedReady:      "shipment_ready_to_dispatch",
		rowReportedPickedUp:   "shipment_pickup_complete",
		rowReportedShipped:    "shipment_shipped",
		rowReportedDelivered:  "shipment_delivered",
		rowReportedCompleted:  "found COMPLETED",
		rowReportedFormFailed: "shipment_form_failed",
		rowReportedCancelled:  "shipment_cancelled",
		rowReportedHold:       "shipment_hold",
		rowReportedUnhold:     "shipment_unhold",
		rowReportedDates:      "shipment_dispatch_dates_changed",
		rowReportedProperties: "shipment_created again",
		rowReportedReturn:     "return_created",
	}
	return names[min(r, rows-1)]
}

// standardRows and selfShipRows are the inputs that a diagram shows, in the order of their labels.
func standardRows() []row {
	return []row{
		rowRequestLabels, rowCompletePacking, rowFailForms, rowAcknowledgeForms, rowDispatch, rowCancel,
		rowReportedPacked, rowReportedReady, rowReportedPickedUp, rowReportedShipped, rowReportedDelivered,
		rowReportedCompleted, rowReportedFormFailed, rowReportedCancelled,
	}
}

func selfShipRows() []row {
	return []row{
		rowCancel, rowDispatchSelfShip, rowConfirmDelivery, rowReportedShipped, rowReportedDelivered,
		rowReportedCompleted, rowReportedCancelled,
	}
}

// isFact reports whether the row belongs to a fact.
func (r row) isFact() bool { return r >= rowReportedPacking }

// drawForward draws one flow: a command from every state that allows it, a fact only from the state before its own.
// With all jumps the diagram would be a tangle.
func drawForward(b *strings.Builder, line []ledgerv1.Status, list []row) {
	open(b)
	b.WriteString("    [*] --> APPROVED: shipment_created\n")
	states := append([]ledgerv1.Status{}, line...)
	if len(line) == len(standardLine) {
		states = append(states, formFailed)
	}
	labels := map[[2]ledgerv1.Status][]string{}
	var order [][2]ledgerv1.Status
	for _, from := range states {
		for _, r := range list {
			c := r.at(from)
			if c.does != move && c.does != contradict || r.isFact() && c.to != cancelled && !adjacent(line, from, c.to) {
				continue
			}
			edge := [2]ledgerv1.Status{from, c.to}
			if labels[edge] == nil {
				order = append(order, edge)
			}
			name := rowName(r)
			if c.does == contradict {
				name += " (irregular)"
			}
			labels[edge] = append(labels[edge], name)
		}
	}
	for _, e := range order {
		fmt.Fprintf(b, "    %s --> %s: %s\n", statusName(e[0]), statusName(e[1]), strings.Join(labels[e], ", "))
	}
	for _, from := range line {
		if rank(from) >= rank(shipped) {
			fmt.Fprintf(b, "    %s --> RETURN_REQUESTED: all live units in returns\n", statusName(from))
		}
	}
	if len(line) == len(selfShipLine) {
		b.WriteString("    DELIVERED --> COMPLETED: no service left to do\n")
	}
	b.WriteString("    RETURN_REQUESTED --> RETURNED: all live units in completed returns\n")
	shut(b)
}

// adjacent reports whether no state of the line lies between two ranks. FORM_FAILED ranks with PACKING_IN_PROGRESS.
func adjacent(line []ledgerv1.Status, from, to ledgerv1.Status) bool {
	for _, s := range line {
		if rank(s) > rank(from) && rank(s) < rank(to) {
			return false
		}
	}
	return true
}

func open(b *strings.Builder) { b.WriteString("```mermaid\nstateDiagram-v2\n") }
func shut(b *strings.Builder) { b.WriteString("```\n") }

// returnRowName names a row of the table of returns for people.
func returnRowName(r returnRow) string {
	names := [returnRows]string{
		rowRequestTechVisit: "request tech visit",
		rowAttemptTechVisit: "attempt tech visit",
		rowApproveReturn:    "approve",
		rowRejectReturn:     "reject",
		rowCompleteReturn:   "complete",
		rowPickUpReturn:     "pickup",
		rowAttemptPickup:    "attempt pickup",
		rowCancelReturn:     "cancel",
		rowReturnApproved:   "found approved",
		rowReturnRejected:   "found rejected",
		rowReturnPickedUp:   "return_picked_up",
		rowReturnCompleted:  "return_completed",
		rowReturnCancelled:  "return_cancelled",
	}
	return names[r]
}

// drawReturns leaves out contradictions, which lead from any end to any other.
func drawReturns(b *strings.Builder) {
	open(b)
	b.WriteString("    [*] --> CREATED: standard\n")
	b.WriteString("    [*] --> REQUESTED: self-ship, customer return\n    [*] --> APPROVED: self-ship, courier return\n")
	for r := range returnRows {
		whose := ""
		switch returnTransitions[r].source {
		case fromCustomer:
			whose = " (customer return)"
		case fromCourier:
			whose = " (courier return)"
		default:
		}
		for from := rmaRequested; int(from) < returnStatuses; from++ {
			if c := r.at(from); c.does == move {
				fmt.Fprintf(b, "    %s --> %s: %s%s\n", returnName(from), returnName(c.to), returnRowName(r), whose)
			}
		}
	}
	shut(b)
}

// drawServices draws forward services and tech visits in one diagram: they share their states.
func drawServices(b *strings.Builder) {
	names := [serviceRows]string{
		rowAttemptService:  "attempt",
		rowCompleteService: "complete",
		rowStartService:    "item delivered",
		rowCancelService:   "item or return cancelled",
		rowVisitApproved:   "return approved",
		rowVisitRejected:   "return rejected",
	}
	open(b)
	b.WriteString("    [*] --> ACTIVATED: forward service\n    [*] --> REQUESTED: tech visit\n")
	for r := range serviceRows {
		for from := serviceActivated; int(from) < serviceStatuses; from++ {
			if c := serviceTransitions[r][from]; c.does == move {
				fmt.Fprintf(b, "    %s --> %s: %s\n", serviceName(from), serviceName(c.to), names[r])
			}
		}
	}
	shut(b)
}

// drawTable writes the table of forward states cell by cell.
func drawTable(b *strings.Builder) {
	b.WriteString("| Input |")
	for s := approved; s <= returned; s++ {
		b.WriteString(" " + statusName(s) + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", statuses-1) + "\n")
	for r := range rows {
		b.WriteString("| " + rowName(r) + " |")
		for s := approved; s <= returned; s++ {
			b.WriteString(" " + cellText(r.at(s)) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n→ leads to that state. ⇝ leads there, and the event is marked irregular. " +
		"*stays*: allowed, leads nowhere.\n*late*: fills a time that is unknown or inferred, else the fact is stale. " +
		"*forward*: decided by the item's\nstate below its returns. A code: the command is rejected with it.\n")
}

func cellText(c statusCell) string {
	switch c.does {
	case move:
		return "→ " + statusName(c.to)
	case contradict:
		return "⇝ " + statusName(c.to)
	case stay:
		return "*stays*"
	case late:
		return "*late*"
	case stale:
		return "*stale*"
	case repeat:
		return "*duplicate*"
	case forward:
		return "*forward*"
	case refuse:
		if c.code != "" {
			return "`" + string(c.code) + "`"
		}
	}
	return "`" + string(CodeInvalidItemState) + "`"
}
