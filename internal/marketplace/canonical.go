package marketplace

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
)

// The canonical form of a JSON value is what gets hashed. White space, the order of members and the escapes in strings
// make no difference, because a sender may serialize the same fact anew for each attempt. The order of array elements,
// unknown members and the spelling of numbers do make one: to treat 1 and 1.0 as equal would need a rule for every
// number.
//
//	object   'o', number of members, then name and value of each, by name (bytes, ascending)
//	array    'a', number of elements, then each
//	string   's', length, UTF-8 bytes; half a surrogate pair as the three bytes that UTF-8 would have for it
//	number   'd', length, the digits as received
//	boolean  't' or 'f'
//	null     'z'
//
// Numbers and lengths are unsigned varints. The form is injective: different values have different forms. It must never
// change, because the ledger compares new keys with those of years ago.

// buffers holds the buffers in which canonical forms are built.
//
//nolint:gochecknoglobals // A pool is one per process.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// appendCanonical appends the canonical form of value i, which may be none. A duplicate member makes the body
// malformed: parsers disagree on which of the two counts, so the hash would cover another value than the one that is
// read.
func (r *reader) appendCanonical(b []byte, i int32) []byte {
	if i == none {
		return append(b, 'z')
	}
	d := r.document
	n := &d.nodes[i]
	switch n.kind {
	case kindObject:
		return r.appendObject(b, i, "")
	case kindArray:
		count := 0
		for c := n.child; c != none; c = d.nodes[c].next {
			count++
		}
		b = binary.AppendUvarint(append(b, 'a'), uint64(count))
		for c := n.child; c != none; c = d.nodes[c].next {
			b = r.appendCanonical(b, c)
		}
		return b
	case kindString:
		return appendText(append(b, 's'), d.exactString(i))
	case kindNumber:
		return appendText(append(b, 'd'), d.text[n.start:n.end])
	case kindBool:
		return append(b, d.text[n.start])
	default:
		return append(b, 'z')
	}
}

// appendObject appends an object without the member named by except; the empty string leaves none out.
func (r *reader) appendObject(b []byte, i int32, except string) []byte {
	type member struct {
		name string
		at   int32
	}
	d := r.document
	var few [24]member
	members := few[:0]
	for c := d.nodes[i].child; c != none; c = d.nodes[c].next {
		if name := d.exactName(c); except == "" || name != except {
			members = append(members, member{name, c})
		}
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	b = binary.AppendUvarint(append(b, 'o'), uint64(len(members)))
	for j, m := range members {
		if j > 0 && members[j-1].name == m.name {
			r.malformed(m.at, ProblemDuplicate, "duplicate member")
		}
		b = appendText(b, m.name)
		b = r.appendCanonical(b, m.at)
	}
	return b
}

// appendText appends the length before the bytes, so that two texts side by side can't be mistaken for two others.
func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
