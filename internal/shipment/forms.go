package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// failForms is the packing worker's bad news.
func (x *decider) failForms(c FailForms) {
	if !x.current(rowFailForms, c.Revision) {
		return
	}
	x.emit(&Event{Body: &ledgerv1.Event_FormFailed{FormFailed: &ledgerv1.FormFailed{
		At: reported(x.now), Forms: c.Forms, Revision: c.Revision,
	}}})
	x.accept()
}

// acknowledgeForms takes the portal's numbers of failed forms. Packing goes on when no failed form is left; until then
// the shipment stays FORM_FAILED.
func (x *decider) acknowledgeForms(c AcknowledgeForms) {
	if !x.flow(standard) || !x.open(rowAcknowledgeForms, "Forms can be acknowledged while it is FORM_FAILED.") {
		return
	}
	failed := map[string]bool{}
	numbers := map[string]string{}
	for _, f := range x.s.GetForms() {
		numbers[f.GetName()] = f.GetAckNumber()
		if f.GetStatus() == ledgerv1.FormStatus_FORM_STATUS_FAILED {
			failed[f.GetName()] = true
		}
	}
	anyFailed := len(failed) > 0
	news := false
	for _, a := range c.Forms {
		if _, known := numbers[a.GetName()]; a.GetName() == "" || a.GetAckNumber() == "" || anyFailed && !known {
			x.refuse(CodeInvalidRequest, "Give the name of one of its forms and its acknowledgement number.")
			return
		}
		news = news || failed[a.GetName()] || numbers[a.GetName()] != a.GetAckNumber()
		delete(failed, a.GetName())
	}
	if len(c.Forms) == 0 {
		x.refuse(CodeInvalidRequest, "Give the acknowledgement number of every failed form.")
		return
	}
	b := &ledgerv1.FormAcknowledged{At: reported(x.now), Forms: c.Forms, Complete: len(failed) == 0}
	if b.Complete {
		b.Revision = x.s.GetDocumentRevision() + 1
	}
	if news || b.Complete {
		x.emit(&Event{Body: &ledgerv1.Event_FormAcknowledged{FormAcknowledged: b}})
	}
	x.accept()
}
