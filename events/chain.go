package events

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// The domains separate these hashes from any other use of SHA-256. A version changes with the form described below.
const (
	chainDomain = "orderledger.chain.v2\x00"
	startDomain = "orderledger.chainstart.v1\x00"
)

// Chain is the head of one lane's hash chain over one topic. It begins at ChainStart.
//
// A link is SHA-256 over: the domain, the topic's name, the lane and the sequence as big-endian integers, the previous
// hash, the record's key, its timestamp in milliseconds, the number of canonical headers, each header's key and value,
// and the value; every string is preceded by its length in four bytes. Canonical headers are those whose key begins
// with "ce_", and content-type, sorted by key, without the chain hash itself. Kafka offsets are not part of it, so that
// a mirrored or restored topic verifies too.
type Chain struct {
	// Seq is the sequence of the last link; 0 in an empty lane.
	Seq uint64
	// Head is the hash of the last link.
	Head Hash
}

// ChainStart returns the chain of an empty lane: its head is SHA-256 over the domain, the hash of the ledger's layout,
// the topic's name with its length, and the lane. No program with another layout can continue the chain.
func ChainStart(layout Hash, topic string, lane int32) Chain {
	var scratch [256]byte
	b := append(scratch[:0], startDomain...)
	b = append(b, layout[:]...)
	b = appendText(b, topic)
	b = binary.BigEndian.AppendUint32(b, uint32(lane))
	return Chain{Head: sha256.Sum256(b)}
}

// Next returns the chain after a record, which gets the number Seq+1. The headers may be in any order.
// Envelope.AppendHeaders writes them in the canonical order, which saves Next from sorting a copy.
func (c Chain) Next(topic string, lane int32, r *Record) Chain {
	canonical := r.Headers
	if !isCanonical(canonical) {
		canonical = slices.DeleteFunc(slices.Clone(canonical), func(h Header) bool { return !underChain(h.Key) })
		slices.SortStableFunc(canonical, func(a, b Header) int { return strings.Compare(a.Key, b.Key) })
	}
	var scratch [1024]byte
	b := append(scratch[:0], chainDomain...)
	b = appendText(b, topic)
	b = binary.BigEndian.AppendUint32(b, uint32(lane))
	b = binary.BigEndian.AppendUint64(b, c.Seq+1)
	b = append(b, c.Head[:]...)
	b = appendText(b, r.Key)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Timestamp.UnixMilli()))
	b = binary.BigEndian.AppendUint32(b, uint32(len(canonical)))
	for i := range canonical {
		b = appendText(b, canonical[i].Key)
		b = appendText(b, canonical[i].Value)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Value)))
	h := sha256.New()
	h.Write(b)
	h.Write(r.Value)
	next := Chain{Seq: c.Seq + 1}
	h.Sum(next.Head[:0])
	return next
}

func appendText[T string | []byte](b []byte, text T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

func underChain(key string) bool {
	return key != HeaderChainHash && (strings.HasPrefix(key, "ce_") || key == HeaderContentType)
}

func isCanonical(headers []Header) bool {
	for i := range headers {
		if !underChain(headers[i].Key) || i > 0 && headers[i-1].Key >= headers[i].Key {
			return false
		}
	}
	return true
}
