package journal

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A command that goes to another instance, or is sent again, needs a key even if its caller gave none: only by it can
// the lane tell a repeat from a second command. Nobody can use such a key again later, so its answer need not be kept
// for the life of the shipment, as that of a caller's key is. The key holds the time it was made, answers lie in the
// store by that time, and old ones are thrown away as one range.
const (
	// onceKey starts the keys of NewKey: "once/<Unix seconds, base 36>/<nonce of the journal>/<count>".
	onceKey = "once/"
	// onceAge is how old such a key may be when it is submitted. A call is over long before.
	onceAge = 10 * time.Minute
	// onceBucket is the span of time whose answers are thrown away together.
	onceBucket = 10 * time.Minute
	// onceKept is how long an answer is kept: longer than its key can be used, clocks that differ included.
	onceKept = time.Hour
	// prefixOnce starts the store's keys of those answers.
	prefixOnce = 'n'
)

// NewKey returns a key that no other command ever had, for a command that may be sent more than once: to its owner in
// another instance, or again after an error. It is good for ten minutes.
func (j *Journal) NewKey() string {
	b := append(make([]byte, 0, 64), onceKey...)
	b = strconv.AppendInt(b, j.deps.Now().Unix(), 36)
	b = append(append(append(b, '/'), j.nonce...), '/')
	return string(strconv.AppendUint(b, j.keys.Add(1), 10))
}

// onceTime returns when a key of NewKey was made; false for any other key.
func onceTime(key string) (time.Time, bool) {
	rest, ok := strings.CutPrefix(key, onceKey)
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

// checkOnce refuses a key that looks like one of NewKey and is not, or is too old for its answer to be there still.
func (j *Journal) checkOnce(key string) error {
	if !strings.HasPrefix(key, onceKey) {
		return nil
	}
	made, ok := onceTime(key)
	if !ok {
		return fmt.Errorf("%w: key begins with %q", ErrInvalid, onceKey)
	}
	if age := j.deps.Now().Sub(made); age > onceAge || age < -onceAge {
		return fmt.Errorf("%w: its key is %s old, at most %s is allowed", ErrInvalid, age, onceAge)
	}
	return nil
}

func onceBucketOf(at time.Time) uint32 {
	return uint32(max(0, at.Unix()) / int64(onceBucket/time.Second))
}

// oncePart starts the store's key for the answer to a key of NewKey, or is empty for another key.
func oncePart(key string) []byte {
	made, ok := onceTime(key)
	if !ok {
		return nil
	}
	return onceRange(onceBucketOf(made))
}

func onceRange(bucket uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefixOnce}, bucket)
}

// forgotten tells whether a key of NewKey is so old that its answer is thrown away already: who builds a store anew
// reads the keys of years.
func (b *storeBatch) forgotten(key string) bool {
	made, ok := onceTime(key)
	return ok && onceBucketOf(made) < b.m.OnceFrom
}

// forgetOnce throws away the answers to keys that nobody can use any more, about once in a bucket's time of the lane.
func (b *storeBatch) forgetOnce() error {
	oldest := onceBucketOf(time.UnixMilli(b.m.RecordedMs).Add(-onceKept))
	if oldest <= b.m.OnceFrom {
		return nil
	}
	from := b.m.OnceFrom
	b.m.OnceFrom = oldest
	return b.b.DeleteRange(onceRange(from), onceRange(oldest), nil)
}
