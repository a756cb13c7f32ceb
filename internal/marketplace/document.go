package marketplace

import (
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// kind is the JSON type of a value.
type kind uint8

const (
	kindObject kind = iota + 1
	kindArray
	kindString
	kindNumber
	kindBool
	kindNull
)

func (k kind) String() string {
	return [...]string{"nothing", "an object", "an array", "a string", "a number", "a boolean", "null"}[k]
}

// none is the index of no node.
const none int32 = -1

// node is one value of a document. Offsets are into the document's text.
type node struct {
	start, end          int32 // The value; of a string what is between its quotes.
	key, keyEnd         int32 // The member's name between its quotes; equal for what is not a member.
	parent, child, next int32 // Indexes of other nodes, or none.
	kind                kind
	escaped, keyEscaped bool // The string, or the name, has backslashes.
}

// document is a JSON text as a flat list of nodes; the first is the root.
//
// It is a tree and not a set of Go structs because three readers need it: the inputs, the hash over all members known
// and unknown, and the path of whatever is wrong. encoding/json would take three passes and ten times as long.
type document struct {
	text  string
	nodes []node
	// copies says that texts must be copied out: the whole is so large that a state which keeps one of its texts must
	// not keep all of it.
	copies bool
}

const (
	// maxDepth bounds the recursion; the deepest thing the marketplace sends has seven levels.
	maxDepth = 64
	// shareBelow is the size of a body whose texts may share its memory.
	shareBelow = 16 << 10
	// poolNodes bounds the arenas that are kept for reuse.
	poolNodes = 4096
)

// arenas holds node lists for reuse: they are the largest allocation of a read.
var arenas = sync.Pool{New: func() any { s := make([]node, 0, 256); return &s }} //nolint:gochecknoglobals // A pool is one per process.

// parseDocument reads body. The caller gives the document back with release.
func parseDocument(body []byte) (*document, *ProblemError) {
	if !utf8.Valid(body) {
		at := 0
		for at < len(body) {
			r, size := utf8.DecodeRune(body[at:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			at += size
		}
		return nil, &ProblemError{Problem: ProblemUTF8, Offset: at, Detail: "the body is not valid UTF-8 here"}
	}
	if len(body) > 1<<30 {
		return nil, &ProblemError{Problem: ProblemNotJSON, Detail: "the body is larger than 1 GB"}
	}
	p := parser{document: document{text: string(body), copies: len(body) > shareBelow}}
	p.nodes = (*arenas.Get().(*[]node))[:0] //nolint:forcetypeassert // The pool holds nothing else.
	p.space()
	if p.value(none, 0) == none {
		return nil, p.problem
	}
	p.space()
	if p.pos < len(p.text) {
		p.fail("something follows the JSON value")
		return nil, p.problem
	}
	return &p.document, nil
}

// release gives the memory of the nodes back. Texts that were read stay valid.
func (d *document) release() {
	if cap(d.nodes) <= poolNodes {
		arenas.Put(&d.nodes)
	}
}

// member returns the value of a member of an object, or none where it is absent or null.
func (d *document) member(object int32, name string) int32 {
	if object == none || d.nodes[object].kind != kindObject {
		return none
	}
	for i := d.nodes[object].child; i != none; i = d.nodes[i].next {
		n := &d.nodes[i]
		if !n.keyEscaped && d.text[n.key:n.keyEnd] == name || n.keyEscaped && d.name(i) == name {
			if n.kind == kindNull {
				return none
			}
			return i
		}
	}
	return none
}

// name returns the name of a member.
func (d *document) name(i int32) string {
	n := &d.nodes[i]
	if n.keyEscaped {
		return unescape(d.text[n.key:n.keyEnd])
	}
	return d.text[n.key:n.keyEnd]
}

// stringOf returns the text of a string.
func (d *document) stringOf(i int32) string {
	n := &d.nodes[i]
	s := d.text[n.start:n.end]
	switch {
	case n.escaped:
		return unescape(s)
	case d.copies:
		return strings.Clone(s)
	}
	return s
}

// raw returns the JSON text of a value, as it was received.
func (d *document) raw(i int32) string {
	n := &d.nodes[i]
	s := d.text[n.start:n.end]
	if n.kind == kindString {
		s = d.text[n.start-1 : n.end+1]
	}
	if d.copies {
		return strings.Clone(s)
	}
	return s
}

// path returns the way to a value: attributes.orderItems[0].quantity.
func (d *document) path(i int32) string {
	if i == none || d.nodes[i].parent == none {
		return ""
	}
	parent := d.nodes[i].parent
	prefix := d.path(parent)
	if d.nodes[parent].kind == kindArray {
		at := 0
		for j := d.nodes[parent].child; j != i; j = d.nodes[j].next {
			at++
		}
		return prefix + "[" + strconv.Itoa(at) + "]"
	}
	name := d.name(i)
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "") + "…"
	}
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
