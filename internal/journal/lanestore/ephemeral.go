package lanestore

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A command that goes to another instance, or is sent again, needs a key even if its caller gave none: only by it can
// the lane recognize a repeat. Nobody can use such a key again later, so its answer need not be kept for the life of
// the shipment, as that of a caller's key is. The key holds the time it was made, answers lie in the store by that
// time, and one range delete drops the old ones.
const (
	// EphemeralKey starts ephemeral keys: "ephemeral/<Unix seconds, base 36>/<nonce of the instance>/<count>".
	EphemeralKey = "ephemeral/"
	// ephemeralAge is how old such a key may be when it is submitted. Callers give up long before.
	ephemeralAge = 10 * time.Minute
	// ephemeralBucket is the span of time whose answers are dropped together.
	ephemeralBucket = 10 * time.Minute
	// ephemeralKept is how long an answer is kept: longer than its key can be used, even if clocks differ.
	ephemeralKept = time.Hour
)

// NewEphemeralKey returns a key made now. The nonce must be one that no other instance has or had, and n one that this
// instance has not used.
func NewEphemeralKey(now time.Time, nonce string, n uint64) string {
	b := append(make([]byte, 0, 64), EphemeralKey...)
	b = strconv.AppendInt(b, now.Unix(), 36)
	b = append(append(append(b, '/'), nonce...), '/')
	return string(strconv.AppendUint(b, n, 10))
}

// CheckEphemeral refuses a key that looks like an ephemeral one and is not, or is so old that its answer may be gone
// and a repeat would be decided a second time. Any other key is fine.
func CheckEphemeral(key string, now time.Time) error {
	if !strings.HasPrefix(key, EphemeralKey) {
		return nil
	}
	made, ok := ephemeralTime(key)
	if !ok {
		return fmt.Errorf("key begins with %q", EphemeralKey)
	}
	if age := now.Sub(made); age > ephemeralAge || age < -ephemeralAge {
		return fmt.Errorf("its key is %s old, at most %s is allowed", age, ephemeralAge)
	}
	return nil
}

// ephemeralTime returns when an ephemeral key was made; false for any other key.
func ephemeralTime(key string) (time.Time, bool) {
	rest, ok := strings.CutPrefix(key, EphemeralKey)
	if !ok {
		return time.Time{}, false
	}
	digits, _, ok := strings.Cut(rest, "/")
	seconds, err := strconv.ParseInt(digits, 36, 64)
	if !ok || err != nil || seconds < 0 {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}

func ephemeralBucketOf(at time.Time) uint32 {
	return uint32(max(0, at.Unix()) / int64(ephemeralBucket/time.Second))
}

// dropped reports whether a key is an ephemeral one whose answer has been dropped: a rebuild of the store reads years
// of keys.
func (b *Batch) dropped(key string) bool {
	made, ok := ephemeralTime(key)
	return ok && ephemeralBucketOf(made) < b.m.EphemeralFrom
}

// dropEphemeral drops the answers to keys that nobody can use any more, about once in a bucket's time of the lane.
func (b *Batch) dropEphemeral() error {
	oldest := ephemeralBucketOf(time.UnixMilli(b.m.RecordedMs).Add(-ephemeralKept))
	if oldest <= b.m.EphemeralFrom {
		return nil
	}
	from := b.m.EphemeralFrom
	b.m.EphemeralFrom = oldest
	return b.b.DeleteRange(ephemeralRange(from), ephemeralRange(oldest), nil)
}
