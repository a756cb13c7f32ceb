package emitter

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// By default a broker accepts at most 4096 bytes of metadata with a committed offset (offset.metadata.max.bytes).
// Base64 turns three bytes into four.
const (
	completedPrefix = "ol1:"
	// startedPrefix is as long as completedPrefix.
	startedPrefix     = "ol2:"
	completedMaxText  = 4096
	completedMaxBytes = (completedMaxText - len(completedPrefix)) / 4 * 3
	// completedFullBytes is the size at which fetching pauses. The rest is room for the holes that deliveries in flight
	// may still leave.
	completedFullBytes = completedMaxBytes * 3 / 4
)

var errMetadata = errors.New("unreadable")

// completedOffsets are the completed offsets above a watermark. They are committed as the metadata of the offset, so
// that a successor repeats only messages that were not completed, and recognises the repeats of a translator.
//
// The text is "ol1:" followed by unpadded base64url of varints: floor, top - floor, and then lengths of runs of
// offsets. The first run starts at the committed offset; pending and completed runs alternate. Offsets after the last
// completed run have not been read. If the endpoint has a start, the text is "ol2:", and the start is the first varint.
type completedOffsets struct {
	start int64 // See partition.start.
	floor int64 // Highest message id below the committed offset.
	top   int64 // Highest message id below the end of the last completed run.
	spans []span
}

// encodeCompleted encodes the completed offsets of a partition. If they do not fit, it leaves out the highest runs:
// then a crash repeats those deliveries, which is allowed. To forget a pending one would not be.
func encodeCompleted(p *partition) string {
	raw, prefix := make([]byte, 0, 64), completedPrefix
	if p.start > 0 {
		raw, prefix = binary.AppendUvarint(raw, uint64(p.start)), startedPrefix
	}
	raw, _ = appendCompleted(raw, p)
	return prefix + base64.RawURLEncoding.EncodeToString(raw)
}

// completedFull reports whether the completed offsets take so much room that fetching should pause. The runs inherited
// from a predecessor do not count, because reading on makes them disappear.
func completedFull(p *partition) bool {
	// A hole takes at most twenty bytes, and there are no more holes than pending deliveries.
	if p.pending.length < completedFullBytes/(2*binary.MaxVarintLen64) {
		return false
	}
	raw, _, all := appendRuns(make([]byte, 0, completedMaxBytes), p)
	return !all || len(raw) >= completedFullBytes
}

func appendCompleted(raw []byte, p *partition) (_ []byte, all bool) {
	floor, top := p.highest, p.highest
	if p.pending.oldest != nil {
		floor = p.pending.oldest.floor
	}
	if len(p.inherited.spans) > 0 {
		top = max(top, p.inherited.top)
	}
	raw = binary.AppendUvarint(raw, uint64(floor))
	raw = binary.AppendUvarint(raw, uint64(top-floor))
	raw, at, all := appendRuns(raw, p)
	// Inherited runs that have not been read again are committed once more, or a second crash would repeat them.
	for _, s := range p.inherited.spans {
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

// appendRuns appends the runs between the watermark and the last record read, and returns the offset that they reach.
func appendRuns(raw []byte, p *partition) (_ []byte, at int64, all bool) {
	at = p.watermark()
	for d := p.pending.oldest; d != nil; {
		to := d.offset + 1
		for d = d.newer; d != nil && d.offset == to; d = d.newer {
			to++
		}
		resume := p.next
		if d != nil {
			resume = d.offset
		}
		if resume == to {
			break // Everything from here to the last record read is pending.
		}
		if raw, all = appendRun(raw, to-at, resume-to); !all {
			return raw, at, false
		}
		at = resume
	}
	return raw, at, true
}

func appendRun(raw []byte, pending, completed int64) (_ []byte, fits bool) {
	before := len(raw)
	raw = binary.AppendUvarint(raw, uint64(pending))
	raw = binary.AppendUvarint(raw, uint64(completed))
	if len(raw) > completedMaxBytes {
		return raw[:before], false
	}
	return raw, true
}

// decodeCompleted decodes the metadata of a committed offset. Empty text, which other tools commit, decodes to no
// completed offsets: the offset counts, and the messages completed above it are sent again.
func decodeCompleted(offset int64, text string) (completedOffsets, error) {
	if text == "" {
		return completedOffsets{}, nil
	}
	encoded, started := strings.CutPrefix(text, startedPrefix)
	if !started {
		var found bool
		if encoded, found = strings.CutPrefix(text, completedPrefix); !found {
			return completedOffsets{}, fmt.Errorf("commit metadata: %w: no %q", errMetadata, completedPrefix)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return completedOffsets{}, fmt.Errorf("commit metadata: %w: %w", errMetadata, err)
	}
	var numbers []int64
	for len(raw) > 0 {
		n, size := binary.Uvarint(raw)
		if size <= 0 || n > math.MaxInt64 {
			return completedOffsets{}, fmt.Errorf("commit metadata: %w: bad varint", errMetadata)
		}
		numbers, raw = append(numbers, int64(n)), raw[size:]
	}
	var c completedOffsets
	if started && len(numbers) > 0 {
		c.start, numbers = numbers[0], numbers[1:]
	}
	if len(numbers) < 2 || len(numbers)%2 != 0 || numbers[1] > math.MaxInt64-numbers[0] {
		return completedOffsets{}, fmt.Errorf("commit metadata: %w: %d numbers", errMetadata, len(numbers))
	}
	c.floor, c.top = numbers[0], numbers[0]+numbers[1]
	for runs := numbers[2:]; len(runs) > 0; runs = runs[2:] {
		pending, completed := runs[0], runs[1]
		if completed == 0 || pending > math.MaxInt64-offset || completed > math.MaxInt64-offset-pending {
			return completedOffsets{}, fmt.Errorf("commit metadata: %w: bad run", errMetadata)
		}
		c.spans = append(c.spans, span{offset + pending, offset + pending + completed})
		offset += pending + completed
	}
	return c, nil
}
