package marketplace

import "time"

// Contains reports whether a time lies in the range. Both ends belong to it; a zero end does not bound it.
func (r Range) Contains(t time.Time) bool {
	return (r.From.IsZero() || !t.Before(r.From)) && (r.To.IsZero() || !t.After(r.To))
}
