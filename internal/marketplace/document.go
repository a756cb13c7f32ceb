package marketplace

import (
	"bytes"
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

// String returns the kind with its article, for the details of problems.
func (k kind) String() string {
	return [...]string{"nothing", "an object", "an array", "a string", "a number", "a boolean", "null"}[k]
}

// none stands for an absent node.
const none int32 = -1

// node is one value of a document. Offsets are into the document's text.
type node struct {
	start, end          int32 // The value; of a string without its quotes.
	key, keyEnd         int32 // The member's name without its quotes; empty for array elements and the root.
	parent, child, next int32 // Indexes of other nodes, or none.
	kind                kind
	escaped, keyEscaped bool // The string, or the name, contains a backslash.
}

// document is a JSON text as a flat list of nodes; the first is the root.
//
// It is a tree rather than a set of Go structs, because three things need it: the inputs, the hash over all members
// including unknown ones, and the path in an error. encoding/json would need three passes and ten times as long.
type document struct {
	text  string
	nodes []node
	// copies makes stringOf copy: a string that shares the memory of a large body would keep the whole body alive for as
	// long as a cached state holds the string.
	copies bool
	// halves says that an escape is half a surrogate pair.
	halves bool
}

const (
	// maxDepth bounds the recursion of the parser. The marketplace's deepest body has seven levels.
	maxDepth = 64
	// shareBelow is the size up to which the strings of a body share its memory.
	shareBelow = 16 << 10
	// poolNodes is the longest node list that is kept for reuse.
	poolNodes = 4096
)

// nodeLists holds node lists for reuse: they are the largest allocation of a read.
//
//nolint:gochecknoglobals // A pool is one per process.
var nodeLists = sync.Pool{New: func() any { s := make([]node, 0, 256); return &s }}

// parseDocument parses body. The caller returns the document's memory with release.
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
		return nil, &ProblemError{Problem: ProblemUTF8, Offset: at, Detail: "invalid UTF-8" + otherEncoding(body)}
	}
	// Nodes hold offsets in 32 bits.
	if len(body) > 1<<30 {
		return nil, &ProblemError{Problem: ProblemNotJSON, Detail: "body exceeds 1 GB"}
	}
	p := parser{document: document{text: string(body), copies: len(body) > shareBelow}}
	p.nodes = (*nodeLists.Get().(*[]node))[:0] //nolint:forcetypeassert // The pool holds nothing else.
	p.space()
	root := p.pos
	if p.value(none, 0) == none {
		switch {
		case root == len(p.text):
			p.problem.Detail = "the body is empty: want a JSON object"
		case !strings.Contains(`{["`, p.text[root:root+1]): // Perhaps a form, or XML.
			p.problem.Offset, p.problem.Detail = root, "the body is no JSON: want an object, which begins with {"
		}
		return nil, p.problem
	}
	p.space()
	if p.pos < len(p.text) {
		p.fail("unexpected data after the JSON value")
		return nil, p.problem
	}
	return &p.document, nil
}

// otherEncoding says what bytes that are no UTF-8 seem to be.
func otherEncoding(body []byte) string {
	switch {
	case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
		return ": the body is compressed with gzip; send it uncompressed"
	case bytes.HasPrefix(body, []byte{0xff, 0xfe}), bytes.HasPrefix(body, []byte{0xfe, 0xff}):
		return ": the body is UTF-16; send it as UTF-8"
	default:
		return ""
	}
}

// release returns the nodes to the pool. Strings that were read stay valid.
func (d *document) release() {
	if cap(d.nodes) <= poolNodes {
		nodeLists.Put(&d.nodes)
	}
}

// member returns the value of a member of an object, or none if it is absent or null. It searches the list: objects
// here have at most some twenty members, and most bodies are read once.
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

// stringOf returns the text of a string value.
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

// raw returns the JSON text of a value as received.
func (d *document) raw(i int32) string {
	n := &d.nodes[i]
	s := d.text[n.start:n.end]
	if n.kind == kindString {
		s = d.text[n.start-1 : n.end+1]
	}
	if d.halves {
		return wholeEscapes(s)
	}
	if d.copies {
		return strings.Clone(s)
	}
	return s
}

// exactName and exactString are name and stringOf for the canonical form. They keep halves of surrogate pairs, because
// two texts that differ must not have one form.
func (d *document) exactName(i int32) string {
	n := &d.nodes[i]
	if n.keyEscaped {
		return unescapeTo(d.text[n.key:n.keyEnd], true)
	}
	return d.text[n.key:n.keyEnd]
}

func (d *document) exactString(i int32) string {
	n := &d.nodes[i]
	if n.escaped {
		return unescapeTo(d.text[n.start:n.end], true)
	}
	return d.text[n.start:n.end]
}

// path returns the path of a value, such as attributes.orderItems[0].quantity, for an error. It clips long names,
// because the caller chose them and the error is shown and logged.
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
