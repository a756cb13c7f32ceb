package marketplace

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/internal/shipment"
)

// Settings configures how bodies are read.
type Settings struct {
	// Currency is the currency of amounts: the wire does not carry it. Empty means INR.
	Currency string
	// MaxIDBytes is the longest valid id, in bytes. Zero means 256.
	MaxIDBytes int
	// MaxItems is the most lines of one notification. Zero means 1,000.
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

// reader reads values from a document. It records the first problem of each class, malformed and invalid, and continues
// with zero values, so that the functions that read a body need no error after every member.
type reader struct {
	*document
	cfg     Settings
	problem *ProblemError
	code    shipment.Code
	message string
	// lenient is set for notifications: see leftout.go.
	lenient      bool
	leftOut      int      // Number of parts that were left out.
	leftOutNames []string // At most maxLeftOut of them.
}

// malformed records that value i makes the body malformed.
func (r *reader) malformed(i int32, problem Problem, detail string) {
	if r.problem == nil {
		at := 0
		if i != none {
			at = int(r.nodes[i].start)
			if r.nodes[i].kind == kindString {
				at-- // The node begins behind the quote.
			}
		}
		r.problem = &ProblemError{Problem: problem, Path: r.path(i), Offset: at, Detail: detail}
	}
}

// invalid records that value i is well-formed but has no valid meaning.
func (r *reader) invalid(i int32, code shipment.Code, detail string) {
	if r.code == "" {
		r.code, r.message = code, detail
		if path := r.path(i); path != "" {
			r.message = path + ": " + detail
		}
	}
}

// typed returns a member, or none if it is absent. A member of another kind makes the body malformed.
func (r *reader) typed(object int32, name string, want kind) int32 {
	i := r.member(object, name)
	if i != none && r.nodes[i].kind != want {
		r.malformed(i, ProblemType, "want "+want.String()+", got "+r.nodes[i].kind.String())
		return none
	}
	return i
}

func (r *reader) object(object int32, name string) int32 {
	return r.typed(object, name, kindObject)
}

// list returns the first element of an array and the number of elements. An element that is null or of another kind
// makes the body malformed.
func (r *reader) list(object int32, name string, want kind) (first int32, count int) {
	i := r.typed(object, name, kindArray)
	if i == none {
		return none, 0
	}
	for c := r.nodes[i].child; c != none; c = r.nodes[c].next {
		if r.nodes[c].kind != want {
			r.malformed(c, ProblemType, "want "+want.String()+", got "+r.nodes[c].kind.String())
			return none, 0
		}
		count++
	}
	if count > r.cfg.MaxItems {
		r.invalid(i, shipment.ReasonTooLarge, "more than "+strconv.Itoa(r.cfg.MaxItems)+" lines")
		return none, 0
	}
	return r.nodes[i].child, count
}

// text returns an optional string, empty if it is absent. It has no limit of its own: the size of the body bounds it.
func (r *reader) text(object int32, name string) string {
	if i := r.optional(object, name, kindString); i != none {
		return r.stringOf(i)
	}
	return ""
}

// texts returns an optional array of strings.
func (r *reader) texts(object int32, name string) []string {
	var out []string
	r.optionalList(object, name, kindString, func(i int32) { out = append(out, r.stringOf(i)) })
	return out
}

// id returns an id, or the empty string if it is absent or invalid.
func (r *reader) id(object int32, name string) string {
	i := r.typed(object, name, kindString)
	if i == none {
		return ""
	}
	s := r.stringOf(i)
	if problem := idProblem(s, r.cfg.MaxIDBytes); problem != "" {
		r.invalid(i, shipment.ReasonBadID, problem)
		return ""
	}
	return s
}

// needID is id, for a mandatory member.
func (r *reader) needID(object int32, name string) string {
	s := r.id(object, name)
	if s == "" {
		r.invalid(object, shipment.ReasonBadID, "no "+name)
	}
	return s
}

// idProblem returns the reason why a text is no valid id, or the empty string. Ids become keys of Kafka records and
// parts of paths and logs, so they are bounded and contain no control characters.
func idProblem(s string, limit int) string {
	if len(s) > limit {
		return "id of " + strconv.Itoa(len(s)) + " bytes, the limit is " + strconv.Itoa(limit)
	}
	if strings.ContainsRune(s, utf8.RuneError) {
		// Half a surrogate pair reads as U+FFFD. Two ids would become one, and the fact would belong to another shipment.
		return "U+FFFD or half a surrogate pair in an id"
	}
	for _, c := range []byte(s) {
		if c < 0x20 || c == 0x7f {
			return "control character in an id"
		}
	}
	if strings.TrimSpace(s) != s {
		return "white space around an id"
	}
	return ""
}

// boolean returns an optional boolean, false if it is absent.
func (r *reader) boolean(object int32, name string) bool {
	i := r.optional(object, name, kindBool)
	return i != none && r.firstByte(i) == 't'
}

// firstByte returns the first byte of a value, such as t or f of a boolean. Only strings can be empty.
func (r *reader) firstByte(i int32) byte {
	return r.document.text[r.nodes[i].start]
}

// integer returns a whole number. 1.0 is one, too: a live capture had a quantity in this form. Numbers above 2^53 are
// invalid there, because a float has lost their last digits.
func (r *reader) integer(object int32, name string) (n int64, reported bool) {
	i := r.typed(object, name, kindNumber)
	if i == none {
		return 0, false
	}
	s := r.document.text[r.nodes[i].start:r.nodes[i].end]
	n, ok := parseWhole(s)
	if !ok {
		r.invalid(i, shipment.ReasonBadQuantity, s[:min(len(s), 32)]+" is not a whole number in range")
	}
	return n, true
}

// parseWhole parses the text of a JSON number as a whole number.
func parseWhole(s string) (n int64, ok bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// maxUnits bounds a quantity, as the rules do.
const maxUnits = 1_000_000

// units returns a number of units. A number below least is invalid.
func (r *reader) units(object int32, name string, least int64) uint32 {
	n, reported := r.integer(object, name)
	switch {
	case !reported && least > 0:
		r.invalid(object, shipment.ReasonBadQuantity, "no "+name)
	case reported && (n < least || n > maxUnits):
		r.invalid(r.member(object, name), shipment.ReasonBadQuantity,
			strconv.FormatInt(n, 10)+" is not a valid number of units")
	default:
		return uint32(n)
	}
	return 0
}

// number returns a number in which a rounded last digit does no harm: a tax rate, or a dimension. Money goes by minor.
func (r *reader) number(object int32, name string) float64 {
	i := r.optional(object, name, kindNumber)
	if i == none {
		return 0
	}
	f, err := strconv.ParseFloat(r.document.text[r.nodes[i].start:r.nodes[i].end], 64)
	if err != nil {
		r.senseless(i, shipment.ReasonBadBody, "number out of range")
		return 0
	}
	return f
}

// minor returns an amount of money in minor units, or nil if it is absent.
func (r *reader) minor(object int32, name string) *int64 {
	i := r.optional(object, name, kindNumber)
	if i == none {
		return nil
	}
	n, ok := parseMinor(r.document.text[r.nodes[i].start:r.nodes[i].end], MinorDigits(r.cfg.Currency))
	if !ok {
		r.senseless(i, shipment.ReasonBadBody, "amount out of range")
		return nil
	}
	return &n
}

// when returns a time as given, or zero if it is absent or empty.
func (r *reader) when(object int32, name string) shipment.When {
	i := r.typed(object, name, kindString)
	if i == none || r.nodes[i].start == r.nodes[i].end {
		return shipment.When{}
	}
	w, problem := parseSensible(r.stringOf(i))
	if problem != "" {
		r.invalid(i, shipment.ReasonBadTime, problem)
	}
	return w
}

// parseSensible parses a time. If it is none, or its year makes no sense, it returns the zero time and the problem.
func parseSensible(s string) (w shipment.When, problem string) {
	w, ok := ParseWhen(s)
	if !ok {
		return shipment.When{}, "not a time: want a day such as 2026-01-31, or a time such as 2026-01-31T18:00:00+05:30"
	}
	if y := w.Time.Year(); y < minYear || y > maxYear {
		return shipment.When{}, "year " + strconv.Itoa(y) + " is out of range"
	}
	return w, ""
}

// instant returns a time; a plain day means its beginning.
func (r *reader) instant(object int32, name string) time.Time {
	return r.when(object, name).Time.UTC()
}

// due returns a due time; a plain day means its end, because a promise for a day is kept until then.
func (r *reader) due(object int32, name string) time.Time {
	return endOfDay(r.when(object, name))
}

// rawObject returns the JSON of an object, or the empty string if it is absent.
func (r *reader) rawObject(object int32, name string) string {
	i := r.optional(object, name, kindObject)
	if i == none {
		return ""
	}
	return r.raw(i)
}

// timestamp converts a time; nil for the zero time.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
