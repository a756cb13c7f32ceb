package lanestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// A command that goes to another instance, or is sent again, needs a key even if its caller gave none: only by it can
// the lane recognize a repeat. Nobody can use such a key again later, so its answer need not be kept for the life of
// the shipment, as that of a caller's key is. The key holds the time it was made, answers lie in the store by that
// time, and one range delete drops the old ones.
//
// Clocks jump, so the age of a key proves nothing: a clock that ran ahead for a minute has dropped answers to keys that
// are young once it is right again. The store therefore notes of which seconds it dropped answers (Meta.Forgotten), and
// only a repeat of a key from such a second can't be answered.
const (
	// EphemeralKey starts ephemeral keys: "ephemeral/<Unix seconds, base 36>/<nonce of the instance>/<count>".
	EphemeralKey = "ephemeral/"
	// ephemeralKept is how long an answer is kept by the clock of the store's instance. Callers give up long before.
	ephemeralKept = time.Hour
	// ephemeralSweep is how far that clock moves between two range deletes.
	ephemeralSweep = 10 * time.Minute
	// maxForgotten bounds Meta.Forgotten, which every batch writes.
	maxForgotten = 8
	// lastSecond is the last one that the store's keys can hold, in 2106. A clock beyond it makes all keys of this second,
	// and their answers are kept.
	lastSecond = math.MaxUint32
)

// Span is a range of Unix seconds, both ends included.
type Span struct{ From, To int64 }

// NewEphemeralKey returns a key made now. The nonce must be one that no other instance has or had, and n one that this
// instance has not used.
func NewEphemeralKey(now time.Time, nonce string, n uint64) string {
	b := append(make([]byte, 0, 64), EphemeralKey...)
	b = strconv.AppendInt(b, min(max(0, now.Unix()), lastSecond), 36)
	b = append(append(append(b, '/'), nonce...), '/')
	return string(strconv.AppendUint(b, n, 10))
}

// CheckEphemeral refuses a key that looks like an ephemeral one and is not. Any other key is fine.
func CheckEphemeral(key string) error {
	if _, ok := ephemeralSecond(key); !ok && strings.HasPrefix(key, EphemeralKey) {
		return fmt.Errorf("key begins with %q", EphemeralKey)
	}
	return nil
}

// ephemeralSecond returns the Unix second in which an ephemeral key was made; false for any other key.
func ephemeralSecond(key string) (int64, bool) {
	rest, ok := strings.CutPrefix(key, EphemeralKey)
	if !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, "/")
	seconds, err := strconv.ParseInt(digits, 36, 64)
	return seconds, ok && err == nil && seconds >= 0 && seconds <= lastSecond
}

// Forgot reports whether the store may have dropped the answer to a key.
func (m *Meta) Forgot(key string) bool {
	second, ok := ephemeralSecond(key)
	return ok && slices.ContainsFunc(m.Forgotten, func(s Span) bool { return s.From <= second && second <= s.To })
}

// forget notes that answers to keys from a span were dropped. Spans less than ephemeralKept apart become one: the clock
// that dropped both had passed the time between them. A larger gap is a jump of the clock, and keys from the gap were
// not dropped: to refuse them too would refuse repeats for as long as the clock had jumped.
func (m *Meta) forget(s Span) {
	list := append(slices.Clone(m.Forgotten), s)
	slices.SortFunc(list, func(a, b Span) int { return int(a.From - b.From) })
	kept := list[:1]
	for _, next := range list[1:] {
		if last := &kept[len(kept)-1]; next.From <= last.To+int64(ephemeralKept/time.Second) {
			last.To = max(last.To, next.To)
		} else {
			kept = append(kept, next)
		}
	}
	for len(kept) > maxForgotten { // The oldest ones, whose keys nobody sends any more.
		kept[1].From = kept[0].From
		kept = kept[1:]
	}
	m.Forgotten = kept
}

// dropped reports whether a record that is read again has an ephemeral key whose answer is not worth keeping: a rebuild
// of the store reads years of keys.
func (b *Batch) dropped(key string) bool {
	second, ok := ephemeralSecond(key)
	if !ok || !b.replay || second >= b.horizon {
		return false
	}
	if !b.m.Forgot(key) {
		b.m.forget(Span{second, second})
	}
	return true
}

// sweep drops the answers to ephemeral keys that are older than the horizon. It comes first in a batch, so that it does
// not drop what the batch adds.
func (b *Batch) sweep() error {
	const step = int64(ephemeralSweep / time.Second)
	if last := b.s.swept; last <= b.horizon && b.horizon < last+step {
		return nil
	}
	b.swept = true
	span, ok, err := b.s.ephemeralBefore(b.horizon)
	if err != nil || !ok {
		return err
	}
	b.m.forget(span)
	return b.b.DeleteRange(ephemeralPrefix(span.From), ephemeralPrefix(span.To+1), nil)
}

// ephemeralBefore returns from when to when the ephemeral keys were made whose answers are in the store and older than
// a second; false for none.
func (s *Store) ephemeralBefore(second int64) (span Span, found bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return span, false, ErrClosed
	}
	bounds := &pebble.IterOptions{LowerBound: ephemeralPrefix(0), UpperBound: ephemeralPrefix(second)}
	it, err := s.db.NewIter(bounds)
	if err != nil {
		return span, false, fmt.Errorf("read lane store: %w", err)
	}
	if it.First() {
		span.From, found = secondOf(it.Key()), true
	}
	if it.Last() {
		span.To = secondOf(it.Key())
	}
	return span, found, errors.Join(it.Error(), it.Close())
}

// ephemeralPrefix is the prefix of the answers to ephemeral keys from one second.
func ephemeralPrefix(second int64) []byte {
	second = min(max(0, second), lastSecond)
	return binary.BigEndian.AppendUint32([]byte{prefixEphemeral}, uint32(second))
}

func secondOf(storeKey []byte) int64 { return int64(binary.BigEndian.Uint32(storeKey[1:])) }
