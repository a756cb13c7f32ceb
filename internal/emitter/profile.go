package emitter

import (
	"bytes"
	"fmt"
	"strings"
)

// Profile is a version of the payload. It is named after the page of the public contract that specifies it.
type Profile struct {
	// Name is the number of that page.
	Name string
	// Number is 0 to 7 and part of the message id, so that two profiles make different ids of one event. It is never
	// reused for another profile.
	Number int32
	// ErrorField is the member of a response's body that reports an error in spite of a 2xx, by true.
	ErrorField string

	write func(w *writer, m *Message, o *suborder)
}

// Profile752255250 returns the profile of page 752255250: it has five event types, writes dates as
// 2020-10-16T20:22:28Z[UTC], and contains the items twice, as orderItems and as subOrderItems.
func Profile752255250() Profile {
	return Profile{Name: "752255250", Number: 0, ErrorField: "hasError", write: write752255250}
}

// Retype returns the body with another event type. An endpoint whose COMPLETE belongs to another stage gets this body
// (see Message.Otherwise). The body must have been made by Translate.
func Retype(body []byte, from, to string) []byte {
	// Quotes inside strings are escaped, and free-form objects come later, so the first match is the field.
	return bytes.Replace(body, fmt.Appendf(nil, `"eventType":%q`, from), fmt.Appendf(nil, `"eventType":%q`, to), 1)
}

// Notes is a set of the deviations of a message from the contract. Such a message is sent all the same: a late message
// is worse than one with a gap, and the later messages of the suborder would have to wait for it.
type Notes uint8

// The notes.
const (
	// NotePaymentUnknown: no item has a payment type; the message says NCOD.
	NotePaymentUnknown Notes = 1 << iota
	// NoteRequiredByUnknown: there is neither a dispatch date nor a configured one; the message says null.
	NoteRequiredByUnknown
	// NoteSKUUnknown: an item has neither sku nor fsn nor listing id; the message says null.
	NoteSKUUnknown
	// NoteExtensionIgnored: an extension was ignored, in part or as a whole, because it could not be read.
	NoteExtensionIgnored
	// NoteTextTooLong: a string has more than 255 characters. It is sent in full: half an address is worse than a refusal.
	NoteTextTooLong
	// NoteQuantityBounded: the quantities of the state contradict each other and were limited to the ordered ones.
	NoteQuantityBounded
)

// noteNames are the values of the metric label, by bit.
var noteNames = [...]string{ //nolint:gochecknoglobals // A table.
	"payment_unknown", "required_by_unknown", "sku_unknown", "extension_ignored", "text_too_long", "quantity_bounded",
}

// Names returns the names of the notes.
func (n Notes) Names() []string {
	var names []string
	for i, name := range noteNames {
		if n&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String returns the names of the notes, separated by commas.
func (n Notes) String() string { return strings.Join(n.Names(), ",") }
