package events

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// chainDomain separates these hashes from any other use of SHA-256. Its version changes with the form described below.
const chainDomain = "orderledger.chain.v1\x00"

// Chain is the head of one lane's hash chain over one topic. The zero value is the head of an empty lane.
//
// A link is SHA-256 over: the domain, the topic's name, the lane and the sequence as big-endian integers, the previous
// hash, the number of canonical headers, each header's key and value, and the value; every string is preceded by its
// length in four bytes. Canonical headers are those whose key begins with "ce_", and content-type, sorted by key,
// without the chain hash itself. Kafka offsets are not part of it, so that a mirrored or restored topic verifies too.
type Chain struct {
	// Seq is the sequence of the last link; 0 in an empty lane.
	Seq uint64
	// Head is the hash of the last link.
	Head Hash
}

// Next returns the chain after a record with these headers and value, which gets the number Seq+1. The headers may be
// in any order. Envelope.AppendHeaders writes them in the canonical order, which saves Next from sorting a copy.
func (c Chain) Next(topic string, lane int32, headers []Header, value []byte) Chain {
	canonical := headers
	if !isCanonical(headers) {
		canonical = slices.DeleteFunc(slices.Clone(headers), func(h Header) bool { return !underChain(h.Key) })
		slices.SortStableFunc(canonical, func(a, b Header) int { return strings.Compare(a.Key, b.Key) })
	}
	var scratch [1024]byte
	b := append(scratch[:0], chainDomain...)
	b = appendText(b, topic)
	b = binary.BigEndian.AppendUint32(b, uint32(lane))
	b = binary.BigEndian.AppendUint64(b, c.Seq+1)
	b = append(b, c.Head[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(canonical)))
	for i := range canonical {
		b = appendText(b, canonical[i].Key)
		b = appendText(b, canonical[i].Value)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	h := sha256.New()
	h.Write(b)
	h.Write(value)
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
