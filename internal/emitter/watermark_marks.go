package emitter

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// The text beside a committed offset is at most 4096 bytes on a broker with default settings
// (offset.metadata.max.bytes). Three bytes become four in base64.
const (
	marksPrefix   = "ol1:"
	marksMaxText  = 4096
	marksMaxBytes = (marksMaxText - len(marksPrefix)) / 4 * 3
	// marksFullBytes is where fetching stops: what is in flight may still tear holes into the rest.
	marksFullBytes = marksMaxBytes * 3 / 4
)

var errMarks = errors.New("unreadable")

// marks travel in the metadata of a committed offset, so that a successor repeats only what was in flight and still
// knows a translator's repeat when it sees one.
//
// Written as "ol1:" and unpadded base64url of varints: floor, top - floor, then lengths in offsets, starting at the
// committed one and in turn pending, done, pending, done … What follows the last done run has not been seen.
type marks struct {
	floor     int64 // highest message id below the committed offset
	top       int64 // highest message id below the end of the last done run
	delivered []span
}

// encodeMarks writes the marks of a partition. When they do not fit, the highest runs are left out; those deliveries
// would be repeated after a crash, which is allowed, whereas forgetting a pending one is not.
func encodeMarks(p *partition) string {
	raw, _ := appendMarks(make([]byte, 0, 64), p)
	return marksPrefix + base64.RawURLEncoding.EncodeToString(raw)
}

// marksFull says whether so many holes are open that no more should be fetched. What a predecessor left to be skipped
// does not count: reading on is what makes it go away.
func marksFull(p *partition) bool {
	// A hole takes at most twenty bytes, and there are no more holes than pending deliveries.
	if p.pending < marksFullBytes/(2*binary.MaxVarintLen64) {
		return false
	}
	raw, _, all := appendHoles(make([]byte, 0, marksMaxBytes), p)
	return !all || len(raw) >= marksFullBytes
}

func appendMarks(raw []byte, p *partition) (_ []byte, all bool) {
	floor, top := p.highest, p.highest
	if p.first != nil {
		floor = p.first.floor
	}
	if len(p.delivered) > 0 {
		top = max(top, p.deliveredID)
	}
	raw = binary.AppendUvarint(raw, uint64(floor))
	raw = binary.AppendUvarint(raw, uint64(top-floor))
	raw, at, all := appendHoles(raw, p)
	// A predecessor's spans that have not been read again yet are passed on, or a second crash would repeat them.
	for _, s := range p.delivered {
		if !all {
			break
		}
		if s.to <= p.next {
			continue
		}
		raw, all = appendRun(raw, max(s.from, p.next)-at, s.to-max(s.from, p.next))
		at = s.to
	}
	return raw, all
}

// appendHoles writes the runs of what was seen, from the watermark, and returns the offset they reach.
func appendHoles(raw []byte, p *partition) (_ []byte, at int64, all bool) {
	at = p.watermark()
	for d := p.first; d != nil; {
		to := d.offset + 1
		for d = d.newer; d != nil && d.offset == to; d = d.newer {
			to++
		}
		resume := p.next
		if d != nil {
			resume = d.offset
		}
		if resume == to {
			break // Pending to the end of what was seen: nothing done above it.
		}
		if raw, all = appendRun(raw, to-at, resume-to); !all {
			return raw, at, false
		}
		at = resume
	}
	return raw, at, true
}

func appendRun(raw []byte, pending, done int64) (_ []byte, fits bool) {
	before := len(raw)
	raw = binary.AppendUvarint(raw, uint64(pending))
	raw = binary.AppendUvarint(raw, uint64(done))
	if len(raw) > marksMaxBytes {
		return raw[:before], false
	}
	return raw, true
}

// decodeMarks reads what encodeMarks wrote beside the given offset. Empty text, as other tools commit it, gives empty
// marks: the position holds, and what was done above it is repeated.
func decodeMarks(offset int64, text string) (marks, error) {
	if text == "" {
		return marks{}, nil
	}
	encoded, found := strings.CutPrefix(text, marksPrefix)
	if !found {
		return marks{}, fmt.Errorf("commit metadata: %w: no %q", errMarks, marksPrefix)
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return marks{}, fmt.Errorf("commit metadata: %w: %w", errMarks, err)
	}
	var numbers []int64
	for len(raw) > 0 {
		n, size := binary.Uvarint(raw)
		if size <= 0 || n > math.MaxInt64 {
			return marks{}, fmt.Errorf("commit metadata: %w: bad varint", errMarks)
		}
		numbers, raw = append(numbers, int64(n)), raw[size:]
	}
	if len(numbers) < 2 || len(numbers)%2 != 0 || numbers[1] > math.MaxInt64-numbers[0] {
		return marks{}, fmt.Errorf("commit metadata: %w: %d numbers", errMarks, len(numbers))
	}
	m := marks{floor: numbers[0], top: numbers[0] + numbers[1]}
	for runs := numbers[2:]; len(runs) > 0; runs = runs[2:] {
		pending, done := runs[0], runs[1]
		if done == 0 || pending > math.MaxInt64-offset || done > math.MaxInt64-offset-pending {
			return marks{}, fmt.Errorf("commit metadata: %w: bad run", errMarks)
		}
		m.delivered = append(m.delivered, span{offset + pending, offset + pending + done})
		offset += pending + done
	}
	return m, nil
}
