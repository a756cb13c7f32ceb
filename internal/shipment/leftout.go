package shipment

// leaveOut notes a part of the input that the decision leaves out, and why. An order must not vanish for an optional
// field, so such parts are counted and named instead.
func (x *decider) leaveOut(what string) {
	if what != "" {
		x.leftOut = append(x.leftOut, what)
	}
}

// nameLeftOut names in the decision what was left out. Another reason stays: it matters more.
func (x *decider) nameLeftOut() {
	if len(x.leftOut) == 0 {
		return
	}
	x.d.LeftOut = x.leftOut
	if x.d.Reason == "" {
		x.d.Reason = ReasonLeftOut
		x.d.Message = x.subject() + " Applied without " + listOf(x.leftOut) + "."
	}
}
