package marketplace

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/internal/jsontext"
	"github.com/orderledger/orderledger/internal/shipment"
)

// A notification of a return may concern several shipments, and each gets a record of its own in the inbox. A record
// holds the envelope and the lines of its shipment only: a body of 1 MiB with 1,000 shipments would otherwise be
// written, and kept, 1,000 times. Of the envelope and the attributes it holds the members that are read.

// memberSiblings is the member of a part's envelope that names the shipments of the return. The marketplace has no such
// member: only Split writes it. It is in the body, not in a header, because the body is what a decision keeps of an
// input that waits.
const memberSiblings = "orderledger"

// maxSiblings is how many shipments a part names: in each of 1,000 parts, 1,000 ids would be too many.
const maxSiblings = 8

// Part is what a notification of a return reports about one shipment.
type Part struct {
	ShipmentID string
	// Lines are indexes of Notification.Lines. None means the whole notification.
	Lines []int
	// Body is a notification with these lines only; Split sets it.
	Body []byte
}

// Parts returns the parts of a notification whose lines all name their shipments, in the order of ShipmentIDs.
func (n *Notification) Parts() []Part {
	ids := n.ShipmentIDs()
	at := make(map[string]int, len(ids))
	parts := make([]Part, len(ids))
	for i, id := range ids {
		at[id], parts[i].ShipmentID = i, id
	}
	if len(ids) == 1 {
		return parts
	}
	for i, line := range n.lines {
		part := &parts[at[line.ShipmentID]]
		part.Lines = append(part.Lines, i)
	}
	return parts
}

// Split sets the bodies of the parts of a notification. The body of a part without lines is the notification itself.
// The parts of a return_created name the other shipments of the return, so that a later notification reaches all.
func Split(body []byte, settings Settings, parts []Part) error {
	if !slices.ContainsFunc(parts, func(p Part) bool { return len(p.Lines) > 0 }) {
		for i := range parts {
			parts[i].Body = body
		}
		return nil
	}
	e, err := newEditor(body, settings)
	if err != nil {
		return err
	}
	defer e.doc.release()
	var ids []string
	if e.n.EventType == EventReturnCreated {
		for _, p := range parts {
			ids = append(ids, p.ShipmentID)
		}
		slices.Sort(ids)
	}
	spoilt := e.spoiltBy(parts)
	for i := range parts {
		p := &parts[i]
		if len(p.Lines) == 0 {
			p.Body = body
			continue
		}
		b := e.envelope(siblingsOf(ids, p.ShipmentID))
		for j, line := range p.Lines {
			if line < 0 || line >= len(e.lines) {
				return fmt.Errorf("split notification: line %d of %d", line, len(e.lines))
			}
			if j > 0 {
				b = append(b, ',')
			}
			b = e.appendNode(b, e.lines[line])
		}
		for _, at := range spoilt[i] {
			b = e.appendNode(append(b, ','), at)
		}
		p.Body = append(b, "]}}"...)
	}
	return nil
}

// spoiltBy returns, for each part, the lines that were left out and go with it, so that some decision names each: those
// that name its shipment, and all others with the first part that has lines.
func (e *editor) spoiltBy(parts []Part) map[int][]int32 {
	if len(e.n.spoilt) == 0 {
		return nil
	}
	first := slices.IndexFunc(parts, func(p Part) bool { return len(p.Lines) > 0 })
	out := map[int][]int32{}
	for _, at := range e.n.spoilt {
		to := first
		if id := e.doc.member(at, "shipmentId"); id != none && e.doc.nodes[id].kind == kindString {
			own := slices.IndexFunc(parts, func(p Part) bool {
				return len(p.Lines) > 0 && p.ShipmentID == e.doc.stringOf(id)
			})
			if own >= 0 {
				to = own
			}
		}
		out[to] = append(out[to], at)
	}
	return out
}

func (e *editor) appendNode(b []byte, i int32) []byte {
	return append(b, e.doc.text[e.doc.nodes[i].start:e.doc.nodes[i].end]...)
}

// Assign returns the notification with the shipment of an order item in those of its lines that name the item and no
// shipment.
func Assign(body []byte, settings Settings, orderItemID, shipmentID string) ([]byte, error) {
	e, err := newEditor(body, settings)
	if err != nil {
		return nil, err
	}
	defer e.doc.release()
	b := e.envelope(shipment.Siblings{})
	for i, line := range e.lines {
		if i > 0 {
			b = append(b, ',')
		}
		if l := e.n.lines[i]; l.OrderItemID != orderItemID || l.ShipmentID != "" {
			b = e.appendNode(b, line)
			continue
		}
		b = append(b, `{"shipmentId":`...)
		b = jsontext.AppendString(b, shipmentID)
		for c := e.doc.nodes[line].child; c != none; c = e.doc.nodes[c].next {
			name := e.doc.name(c)
			if name == "shipmentId" {
				continue // Null, or empty.
			}
			b = append(b, ',')
			b = jsontext.AppendString(b, name)
			b = append(b, ':')
			b = append(b, e.doc.raw(c)...)
		}
		b = append(b, '}')
	}
	for _, line := range e.n.spoilt {
		b = e.appendNode(append(b, ','), line) // Left out again when it is decided, and named there.
	}
	return append(b, "]}}"...), nil
}

// editor writes new notifications with lines of a given one.
type editor struct {
	doc   *document
	n     Notification
	lines []int32 // The nodes of n.lines.
}

// newEditor reads a notification. The caller releases its document.
func newEditor(body []byte, settings Settings) (*editor, error) {
	doc, problem := parseDocument(body)
	if problem != nil {
		return nil, problem
	}
	r := &reader{document: doc, cfg: settings.withDefaults()}
	e := &editor{doc: doc, n: readNotification(r)}
	if r.problem != nil {
		doc.release()
		return nil, r.problem
	}
	e.lines = e.n.nodes
	return e, nil
}

// envelope returns a notification up to its first line.
func (e *editor) envelope(s shipment.Siblings) []byte {
	n := &e.n
	b := make([]byte, 0, 512)
	b = append(b, `{"eventType":`...)
	b = jsontext.AppendString(b, n.EventType)
	for _, m := range [...]struct{ name, value string }{
		{"timestamp", n.At.Format(time.RFC3339Nano)},
		{"source", n.Source},
		{"locationId", n.LocationID},
		{"sellerId", n.SellerID},
		{"returnId", n.ReturnID},
	} {
		if m.value != "" {
			b = append(b, `,"`...)
			b = append(b, m.name...)
			b = append(b, `":`...)
			b = jsontext.AppendString(b, m.value)
		}
	}
	if s.Count > 0 {
		b = append(b, `,"`+memberSiblings+`":{"shipmentCount":`...)
		b = strconv.AppendUint(b, uint64(s.Count), 10)
		b = append(b, `,"shipmentIds":[`...)
		for i, id := range s.ShipmentIDs {
			if i > 0 {
				b = append(b, ',')
			}
			b = jsontext.AppendString(b, id)
		}
		b = append(b, "]}"...)
	}
	return append(b, `,"attributes":{"returnItems":[`...)
}

// siblingsOf returns what a part says of the shipments of its return, which are sorted.
func siblingsOf(ids []string, id string) shipment.Siblings {
	if len(ids) < 2 {
		return shipment.Siblings{}
	}
	at, _ := slices.BinarySearch(ids, id)
	from := at / maxSiblings * maxSiblings
	return shipment.Siblings{
		ShipmentIDs: ids[from:min(from+maxSiblings, len(ids))], Count: uint32(len(ids)),
	}
}

// readSiblings reads what a part says of the shipments of its return. It ignores anything that Split does not write: a
// sender may have a member of the same name.
func readSiblings(r *reader) (s shipment.Siblings) {
	object := r.member(0, memberSiblings)
	count, list := r.member(object, "shipmentCount"), r.member(object, "shipmentIds")
	if count == none || list == none || r.nodes[list].kind != kindArray {
		return s
	}
	n, err := strconv.ParseUint(r.raw(count), 10, 32)
	if err != nil || n < 2 || n > uint64(r.cfg.MaxItems) {
		return s
	}
	for i := r.nodes[list].child; i != none; i = r.nodes[i].next {
		id := ""
		if r.nodes[i].kind == kindString {
			id = r.stringOf(i)
		}
		if id == "" || idProblem(id, r.cfg.MaxIDBytes) != "" || len(s.ShipmentIDs) == maxSiblings {
			return shipment.Siblings{}
		}
		s.ShipmentIDs = append(s.ShipmentIDs, id)
	}
	s.Count = uint32(n)
	return s
}
