package lanestore

import (
	"encoding/hex"
	"slices"

	"github.com/orderledger/orderledger/events"
)

// format changes with the layout of the store; a store of another format is built again.
const format = 4

// Meta says which ledger a store belongs to, and which position it has.
type Meta struct {
	Format    int           `json:"format"`
	ClusterID string        `json:"cluster_id"`
	Layout    Head          `json:"layout"` // The hash of the ledger's layout.
	Topics    []string      `json:"topics"` // The topic ids of events, decisions and inbox.
	Events    TopicPosition `json:"events"`
	Decisions TopicPosition `json:"decisions"`
	// DecidedSeq and DecidedHead are the chain of events after the last batch that has decisions.
	DecidedSeq  uint64 `json:"decided_seq"`
	DecidedHead Head   `json:"decided_head"`
	// Inbox is the offset below which everything is decided; Ahead are offsets from there on that are decided too.
	Inbox int64   `json:"inbox"`
	Ahead []int64 `json:"ahead,omitempty"`
	// RecordedMs is the last recorded time, in Unix milliseconds.
	RecordedMs int64 `json:"recorded_ms"`
	// Waiting counts the inputs that wait, and those among them that are quarantined by age.
	Waiting int64 `json:"waiting"`
	// Forgotten are the times from which the store has dropped answers to ephemeral keys, in ascending order.
	Forgotten []Span `json:"forgotten,omitempty"`
}

// NewMeta returns the position of an empty store of a ledger: the Kafka cluster's id, the hash of the ledger's layout,
// and the ids of the topics of events, decisions and inbox, in this order.
func NewMeta(clusterID string, layout events.Hash, topics []string) Meta {
	return Meta{
		Format: format, ClusterID: clusterID, Layout: Head(layout), Topics: topics,
		Events: TopicPosition{Last: -1}, Decisions: TopicPosition{Last: -1},
	}
}

// OfLane returns the position of an empty store of one lane, whose chains begin with the layout.
func (m Meta) OfLane(lane int32) Meta {
	m.Events.Head = Head(events.ChainStart(events.Hash(m.Layout), events.TopicEvents, lane).Head)
	m.Decisions.Head = Head(events.ChainStart(events.Hash(m.Layout), events.TopicDecisions, lane).Head)
	m.DecidedHead = m.Events.Head
	return m
}

// SameLedger reports whether both are of one ledger and format. A topic that was deleted
// and created again has another id than the one whose records the store holds.
func (m *Meta) SameLedger(o Meta) bool {
	return m.Format == o.Format && m.ClusterID == o.ClusterID && m.Layout == o.Layout && slices.Equal(m.Topics, o.Topics)
}

// Empty reports whether the store holds no record of the lane.
func (m *Meta) Empty() bool { return m.Decisions.Last < 0 && m.Events.Last < 0 }

// decided notes that the inbox record at an offset has its decision. Decisions are in the order of the inbox, except
// those restored from events: some between them may still be missing.
func (m *Meta) decided(offset int64, outOfOrder bool) {
	switch {
	case !outOfOrder:
		m.Inbox = max(m.Inbox, offset+1)
	case offset >= m.Inbox && !slices.Contains(m.Ahead, offset):
		m.Ahead = append(m.Ahead, offset)
	}
	for slices.Contains(m.Ahead, m.Inbox) { // The decisions between them and the position are there now.
		m.Inbox++
	}
	m.Ahead = slices.DeleteFunc(m.Ahead, func(o int64) bool { return o < m.Inbox })
}

// TopicPosition is how far a store has read one topic.
type TopicPosition struct {
	// Next is the offset to read from.
	Next int64 `json:"next"`
	// Last is the offset of the last record, whose chain hash is Head; -1 when there was none.
	Last int64  `json:"last"`
	Seq  uint64 `json:"seq"`
	Head Head   `json:"head"`
}

// From returns the offset from which to read on: that of the last record in the store, so that the reader can compare
// its chain hash with Head before it trusts the store.
func (p *TopicPosition) From() int64 {
	if p.Last >= 0 {
		return p.Last
	}
	return p.Next
}

// Chain returns the hash chain after the last record.
func (p *TopicPosition) Chain() events.Chain {
	return events.Chain{Seq: p.Seq, Head: events.Hash(p.Head)}
}

func (p *TopicPosition) move(offset int64, chain events.Chain) {
	p.Next, p.Last, p.Seq, p.Head = offset+1, offset, chain.Seq, Head(chain.Head)
}

// Head is a chain head, written in hexadecimal.
type Head events.Hash

// MarshalText implements encoding.TextMarshaler.
func (h Head) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Head) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return errMalformed
	}
	_, err := hex.Decode(h[:], text)
	return err
}
