package lanestore

import "encoding/binary"

// The keys of a store. Ids are preceded by their length, since they may hold any byte.
//
//	m                              the position (Meta)
//	s shipment                     a state
//	[n second] k shipment key      an answer; the second for ephemeral keys only; see also LastCall
//	[n second] o shipment key      the offset of the last event of an answer
//	v shipment sender key          the answer to a waiting input
//	w shipment seq                 a waiting input
//	i inbox shipment               the waiting inputs by the offset in the inbox → their key under w
//	q since seq                    the waiting inputs in the order of their age → their key under w
//	t shipment                     how many inputs wait for a shipment (Tally)
//	u shipment sender              how many of these one sender sent (Tally)
var (
	keyMeta       = []byte("m") //nolint:gochecknoglobals // A constant, which Go can't hold as bytes.
	prefixDue     = []byte("q") //nolint:gochecknoglobals // A constant, which Go can't hold as bytes.
	prefixTally   = []byte("t") //nolint:gochecknoglobals // A constant, which Go can't hold as bytes.
	prefixWaiting = []byte("w") //nolint:gochecknoglobals // A constant, which Go can't hold as bytes.
)

// prefixEphemeral is the prefix of the answers to ephemeral keys, so that one range delete drops the old ones.
const prefixEphemeral = 'n'

func stateKey(shipmentID string) []byte { return appendID([]byte("s"), shipmentID) }

func answerKey(shipmentID, key string) []byte {
	return append(appendID(append(startKey(shipmentID, key), 'k'), shipmentID), key...)
}

// offsetKey holds the offset of the last event that answered an input. It is apart from the answer because it comes
// from the events, and the answer from the decisions, which a rebuild reads one topic after the other.
func offsetKey(shipmentID, key string) []byte {
	return append(appendID(append(startKey(shipmentID, key), 'o'), shipmentID), key...)
}

func startKey(shipmentID, key string) []byte {
	return append(make([]byte, 0, 16+len(shipmentID)+len(key)), ephemeralPart(key)...)
}

// ephemeralPart returns the first part of the store's key for an answer to an ephemeral key; it is empty for any other
// key.
func ephemeralPart(key string) []byte {
	second, ok := ephemeralSecond(key)
	if !ok {
		return nil
	}
	return ephemeralPrefix(second)
}

// waitingAnswerKey holds the answer to an input that waits, apart from the answers to other senders and from the answer
// for good.
func waitingAnswerKey(shipmentID string, sender Sender, key string) []byte {
	return append(append(appendID([]byte("v"), shipmentID), sender[:]...), key...)
}

func waitingPrefix(shipmentID string) []byte { return appendID([]byte("w"), shipmentID) }

func waitingKey(shipmentID string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(waitingPrefix(shipmentID), seq)
}

func inboxKey(id waitID) []byte {
	return append(binary.BigEndian.AppendUint64([]byte("i"), uint64(id.inbox)), id.shipmentID...)
}

func tallyKey(shipmentID string) []byte { return appendID([]byte{prefixTally[0]}, shipmentID) }

func senderTallyKey(shipmentID string, sender Sender) []byte {
	return append(appendID([]byte("u"), shipmentID), sender[:]...)
}

func appendID(b []byte, id string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(id))), id...)
}

// prefixEnd returns the first key after all those with the prefix.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
