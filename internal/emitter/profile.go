package emitter

import (
	"bytes"
	"fmt"
	"strings"
)

// Profile is a version of the payload. Versions are named after the pages of the public contract.
type Profile struct {
	// Name of the profile.
	Name string
	// Number tells the profiles' messages of one event apart: 0 to 7, never given to another profile.
	Number int32

	write func(w *writer, m *Message, o *suborder)
}

// Profile752255250 returns the profile of the page of that number: five events, dates as 2020-10-16T20:22:28Z[UTC], and
// the items both as orderItems and as subOrderItems.
func Profile752255250() Profile {
	return Profile{Name: "752255250", Number: 0, write: write752255250}
}

// Retype returns the body with another event type: what an endpoint gets that waits for another stage (see
// Message.Otherwise). The body must be one of Translate's.
func Retype(body []byte, from, to string) []byte {
	// The quotes of texts are escaped and free objects come later, so the first match is the field.
	return bytes.Replace(body, fmt.Appendf(nil, `"eventType":%q`, from), fmt.Appendf(nil, `"eventType":%q`, to), 1)
}

// Notes say where a message is less than the contract asks for. It is sent all the same: a suborder that is told late
// is worse than one that is told with a gap, and later messages of it would have to wait.
type Notes uint8

// What can be noted.
const (
	// NotePaymentUnknown: no item told how it is paid; NCOD stands in.
	NotePaymentUnknown Notes = 1 << iota
	// NoteRequiredByUnknown: no dispatch date and nothing configured; null stands in.
	NoteRequiredByUnknown
	// NoteSKUUnknown: an item has neither sku nor fsn nor listing id; null stands in.
	NoteSKUUnknown
	// NoteExtensionIgnored: an extension could not be read, in part or as a whole.
	NoteExtensionIgnored
	// NoteTextTooLong: a text has more than 255 characters. It is sent in full: half an address is worse than a refusal.
	NoteTextTooLong
	// NoteQuantityBounded: the state's quantities contradict each other, and were bounded by those ordered.
	NoteQuantityBounded
)

// noteNames are the values of the metric's label, by bit.
var noteNames = [...]string{ //nolint:gochecknoglobals // A table.
	"payment_unknown", "required_by_unknown", "sku_unknown", "extension_ignored", "text_too_long", "quantity_bounded",
}

// Names lists the notes.
func (n Notes) Names() []string {
	var names []string
	for i, name := range noteNames {
		if n&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String joins the notes by commas.
func (n Notes) String() string { return strings.Join(n.Names(), ",") }
