package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// failForms records that the packing worker could not make some forms.
func (x *decider) failForms(c FailForms) {
	if !x.current(rowFailForms, c.Revision) {
		return
	}
	x.emit(&Event{Body: &ledgerv1.Event_FormFailed{FormFailed: &ledgerv1.FormFailed{
		At: reported(x.now), Forms: c.Forms, Revision: c.Revision,
	}}})
	x.accept()
}

// acknowledgeForms records the portal's acknowledgement numbers of failed forms. Packing resumes, with a new document
// revision, when no failed form is left; until then the shipment stays FORM_FAILED.
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
		_, known := numbers[a.GetName()]
		if a.GetName() == "" || a.GetAckNumber() == "" || anyFailed && !known {
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
