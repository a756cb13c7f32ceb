package marketplace

import (
	"strconv"
	"time"

	"github.com/orderledger/orderledger/internal/shipment"
)

// A notification is refused, or quarantined, only for what the ledger can't do without: its envelope, ids, times and
// quantities. Anything else that has a wrong type or makes no sense is left out, and the decision names it; so is a
// line that makes no sense beside good ones. An order must not vanish for an optional field, and a 400 blocks the
// marketplace behind it. fields.go lists every field and what becomes of it.
//
// Seller calls are strict: the caller sees the answer and can correct the body.

// maxLeftOut bounds what a notification names. A body of 1 MiB could hold a hundred thousand such fields.
const maxLeftOut = 1000

// leaveOut notes that value i of a notification is left out.
func (r *reader) leaveOut(i int32, why string) {
	if path := r.path(i); path != "" {
		why = path + ": " + why
	}
	r.leftOut++
	if len(r.leftOutNames) < maxLeftOut {
		r.leftOutNames = append(r.leftOutNames, why)
	}
}

// senseless handles value i of an optional member: a notification leaves it out, a call is invalid.
func (r *reader) senseless(i int32, code shipment.Code, why string) {
	if r.lenient {
		r.leaveOut(i, why)
		return
	}
	r.invalid(i, code, why)
}

// optional returns a member that the ledger can do without, or none if it is absent. A notification leaves out a member
// of another kind; in a call it makes the body malformed.
func (r *reader) optional(object int32, name string, want kind) int32 {
	i := r.member(object, name)
	if i == none || r.nodes[i].kind == want {
		return i
	}
	r.wrongKind(i, want)
	return none
}

func (r *reader) wrongKind(i int32, want kind) {
	why := "want " + want.String() + ", got " + r.nodes[i].kind.String()
	if r.lenient {
		r.leaveOut(i, why)
		return
	}
	r.malformed(i, ProblemType, why)
}

// optionalID is id, for an id that no rule reads, or that a line can do without. A call is as strict as with id.
func (r *reader) optionalID(object int32, name string) string {
	if !r.lenient {
		return r.id(object, name)
	}
	i := r.optional(object, name, kindString)
	return r.senselessID(i)
}

// senselessID returns the text of an optional id, empty if it is absent or no valid id.
func (r *reader) senselessID(i int32) string {
	if i == none {
		return ""
	}
	s := r.stringOf(i)
	if problem := idProblem(s, r.cfg.MaxIDBytes); problem != "" {
		r.leaveOut(i, problem)
		return ""
	}
	return s
}

// lineID is id for an id of a line that rules read, but that the line can do without: its type matters.
func (r *reader) lineID(object int32, name string) string {
	return r.senselessID(r.typed(object, name, kindString))
}

// optionalList calls each for the elements of an array, and leaves out those of another kind.
func (r *reader) optionalList(object int32, name string, want kind, each func(i int32)) {
	list := r.optional(object, name, kindArray)
	if list == none {
		return
	}
	count := 0
	for i := r.nodes[list].child; i != none; i = r.nodes[i].next {
		count++
	}
	if count > r.cfg.MaxItems {
		r.senseless(list, shipment.ReasonTooLarge, "more than "+strconv.Itoa(r.cfg.MaxItems)+" elements")
		return
	}
	for i := r.nodes[list].child; i != none; i = r.nodes[i].next {
		if r.nodes[i].kind != want {
			r.wrongKind(i, want)
			continue
		}
		each(i)
	}
}

// promise returns a time that starts or moves a clock: its type matters, but an order is not refused for a date that
// makes no sense.
func (r *reader) promise(object int32, name string) shipment.When {
	i := r.typed(object, name, kindString)
	return r.sensibleWhen(i)
}

// optionalWhen returns a time that the ledger can do without.
func (r *reader) optionalWhen(object int32, name string) shipment.When {
	return r.sensibleWhen(r.optional(object, name, kindString))
}

func (r *reader) sensibleWhen(i int32) shipment.When {
	if i == none || r.nodes[i].start == r.nodes[i].end {
		return shipment.When{}
	}
	w, problem := parseSensible(r.stringOf(i))
	if problem != "" {
		r.leaveOut(i, problem)
	}
	return w
}

// optionalInstant and optionalDue are instant and due for a time that the ledger can do without.
func (r *reader) optionalInstant(object int32, name string) time.Time {
	return r.optionalWhen(object, name).Time.UTC()
}

func (r *reader) optionalDue(object int32, name string) time.Time {
	return endOfDay(r.optionalWhen(object, name))
}

// optionalUnits is units for a number that the ledger can do without.
func (r *reader) optionalUnits(object int32, name string) uint32 {
	i := r.optional(object, name, kindNumber)
	if i == none {
		return 0
	}
	n, ok := parseWhole(r.document.text[r.nodes[i].start:r.nodes[i].end])
	if !ok || n < 0 || n > maxUnits {
		r.leaveOut(i, "not a valid number of units")
		return 0
	}
	return uint32(n)
}

// lines calls line for each element of a list of a notification, and returns how many are good. line reads an element,
// and must check r.code before it keeps anything: if it is set, the element makes no sense. Such an element is left out
// beside good ones; if none is good, the notification is invalid for the reason of the first.
func (r *reader) lines(object int32, name string, line func(i int32)) (count, good int) {
	first, count := r.list(object, name, kindObject)
	code, message := r.code, r.message
	var badCode shipment.Code
	var badMessage string
	for i := first; i != none; i = r.nodes[i].next {
		r.code, r.message = "", ""
		names, n := len(r.leftOutNames), r.leftOut
		line(i)
		if r.code == "" {
			good++
			continue
		}
		if badCode == "" {
			badCode, badMessage = r.code, r.message
		}
		r.leftOutNames, r.leftOut = r.leftOutNames[:names], n // The line as a whole is named instead.
		r.leaveOut(none, r.message)
	}
	r.code, r.message = code, message
	if count > 0 && good == 0 && r.code == "" {
		r.code, r.message = badCode, badMessage
	}
	return count, good
}
