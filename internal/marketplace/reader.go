package marketplace

import (
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/internal/shipment"
)

// Settings says how bodies are read.
type Settings struct {
	// Currency is that of amounts: the wire does not say it. Empty means INR.
	Currency string
	// MaxIDBytes is the longest id that makes sense. Zero means 256.
	MaxIDBytes int
	// MaxItems is the most lines that one notification may have. Zero means 1,000.
	MaxItems int
}

// DefaultSettings returns the settings of the marketplace.
func DefaultSettings() Settings {
	return Settings{Currency: "INR", MaxIDBytes: 256, MaxItems: 1000}
}

func (s Settings) withDefaults() Settings {
	d := DefaultSettings()
	if s.Currency != "" {
		d.Currency = s.Currency
	}
	if s.MaxIDBytes > 0 {
		d.MaxIDBytes = s.MaxIDBytes
	}
	if s.MaxItems > 0 {
		d.MaxItems = s.MaxItems
	}
	return d
}

// reader takes values out of a document. It notes the first value that has the wrong type, which makes the body
// unreadable, and the first that makes no sense, which does not; reading goes on with zero values.
type reader struct {
	*document
	cfg     Settings
	problem *ProblemError
	code    shipment.Code
	message string
}

// wrong notes that value i makes the body unreadable.
func (r *reader) wrong(i int32, problem Problem, detail string) {
	if r.problem == nil {
		at := 0
		if i != none {
			at = int(r.nodes[i].start)
			if r.nodes[i].kind == kindString {
				at-- // Its quote.
			}
		}
		r.problem = &ProblemError{Problem: problem, Path: r.path(i), Offset: at, Detail: detail}
	}
}

// odd notes that value i makes no sense.
func (r *reader) odd(i int32, code shipment.Code, detail string) {
	if r.code == "" {
		r.code, r.message = code, detail
		if path := r.path(i); path != "" {
			r.message = path + ": " + detail
		}
	}
}

// typed returns a member if it is of the kind, none where it is absent.
func (r *reader) typed(object int32, name string, want kind) int32 {
	i := r.member(object, name)
	if i != none && r.nodes[i].kind != want {
		r.wrong(i, ProblemType, "want "+want.String()+", got "+r.nodes[i].kind.String())
		return none
	}
	return i
}

func (r *reader) object(object int32, name string) int32 {
	return r.typed(object, name, kindObject)
}

// list returns the first element of an array and how many it has. Elements that are null, or not of the kind, are
// wrong.
func (r *reader) list(object int32, name string, want kind) (first int32, count int) {
	i := r.typed(object, name, kindArray)
	if i == none {
		return none, 0
	}
	for c := r.nodes[i].child; c != none; c = r.nodes[c].next {
		if r.nodes[c].kind != want {
			r.wrong(c, ProblemType, "want "+want.String()+", got "+r.nodes[c].kind.String())
			return none, 0
		}
		count++
	}
	if count > r.cfg.MaxItems {
		r.odd(i, shipment.ReasonTooLarge, "more than "+strconv.Itoa(r.cfg.MaxItems)+" lines")
		return none, 0
	}
	return r.nodes[i].child, count
}

func (r *reader) text(object int32, name string) string {
	if i := r.typed(object, name, kindString); i != none {
		return r.stringOf(i)
	}
	return ""
}

// texts returns an array of strings.
func (r *reader) texts(object int32, name string) []string {
	first, count := r.list(object, name, kindString)
	if count == 0 {
		return nil
	}
	out := make([]string, 0, count)
	for i := first; i != none; i = r.nodes[i].next {
		out = append(out, r.stringOf(i))
	}
	return out
}

// id returns an id and notes one that makes no sense.
func (r *reader) id(object int32, name string) string {
	i := r.typed(object, name, kindString)
	if i == none {
		return ""
	}
	s := r.stringOf(i)
	if problem := idProblem(s, r.cfg.MaxIDBytes); problem != "" {
		r.odd(i, shipment.ReasonBadID, problem)
		return ""
	}
	return s
}

// needID is id of a member that a line can't be without.
func (r *reader) needID(object int32, name string) string {
	s := r.id(object, name)
	if s == "" {
		r.odd(object, shipment.ReasonBadID, "no "+name)
	}
	return s
}

// idProblem says why a text can't be an id; empty means that it can.
func idProblem(s string, limit int) string {
	if len(s) > limit {
		return "an id of " + strconv.Itoa(len(s)) + " bytes, more than " + strconv.Itoa(limit)
	}
	for _, c := range []byte(s) {
		if c < 0x20 || c == 0x7f {
			return "an id with a control character"
		}
	}
	if strings.TrimSpace(s) != s {
		return "an id with white space around it"
	}
	return ""
}

func (r *reader) boolean(object int32, name string) bool {
	i := r.typed(object, name, kindBool)
	return i != none && r.text1(i) == 't'
}

// text1 returns the first byte of a value that is not empty.
func (r *reader) text1(i int32) byte {
	return r.document.text[r.nodes[i].start]
}

// integer returns a whole number; 1.0 is one, as live captures have it.
func (r *reader) integer(object int32, name string) (n int64, told bool) {
	i := r.typed(object, name, kindNumber)
	if i == none {
		return 0, false
	}
	s := r.document.text[r.nodes[i].start:r.nodes[i].end]
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			r.odd(i, shipment.ReasonBadQuantity, s[:min(len(s), 32)]+" is not a whole number that makes sense")
			return 0, true
		}
		n = int64(f)
	}
	return n, true
}

// units returns a number of units, from least up.
func (r *reader) units(object int32, name string, least int64) uint32 {
	n, told := r.integer(object, name)
	switch {
	case !told && least > 0:
		r.odd(object, shipment.ReasonBadQuantity, "no "+name)
	case told && (n < least || n > math.MaxInt32):
		r.odd(r.member(object, name), shipment.ReasonBadQuantity, strconv.FormatInt(n, 10)+" is not a number of units")
	default:
		return uint32(n)
	}
	return 0
}

func (r *reader) number(object int32, name string) float64 {
	i := r.typed(object, name, kindNumber)
	if i == none {
		return 0
	}
	f, err := strconv.ParseFloat(r.document.text[r.nodes[i].start:r.nodes[i].end], 64)
	if err != nil {
		r.odd(i, shipment.ReasonBadBody, "a number that is out of range")
		return 0
	}
	return f
}

// minor returns an amount of money in minor units, nil where it is absent.
func (r *reader) minor(object int32, name string) *int64 {
	i := r.typed(object, name, kindNumber)
	if i == none {
		return nil
	}
	n, ok := parseMinor(r.document.text[r.nodes[i].start:r.nodes[i].end], MinorDigits(r.cfg.Currency))
	if !ok {
		r.odd(i, shipment.ReasonBadBody, "an amount that is out of range")
		return nil
	}
	return &n
}

// when returns a time as it was given, zero where it is absent.
func (r *reader) when(object int32, name string) shipment.When {
	i := r.typed(object, name, kindString)
	if i == none || r.nodes[i].start == r.nodes[i].end {
		return shipment.When{}
	}
	w, ok := ParseWhen(r.stringOf(i))
	if !ok {
		r.odd(i, shipment.ReasonBadTime, "not a time")
		return shipment.When{}
	}
	if y := w.Time.Year(); y < minYear || y > maxYear {
		r.odd(i, shipment.ReasonBadTime, "the year "+strconv.Itoa(y)+" makes no sense")
		return shipment.When{}
	}
	return w
}

// instant returns a time; a day is its beginning.
func (r *reader) instant(object int32, name string) time.Time {
	return r.when(object, name).Time.UTC()
}

// due returns a time by which something is due; a day is its end.
func (r *reader) due(object int32, name string) time.Time {
	return endOfDay(r.when(object, name))
}

// rawObject returns the JSON of an object, empty where it is absent.
func (r *reader) rawObject(object int32, name string) string {
	i := r.object(object, name)
	if i == none {
		return ""
	}
	return r.raw(i)
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
