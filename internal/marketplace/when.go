package marketplace

import (
	"time"

	"github.com/orderledger/orderledger/internal/shipment"
)

// IST is the marketplace's time zone. Its times have this offset, and a time without an offset means it.
var IST = time.FixedZone("IST", 5*60*60+30*60) //nolint:gochecknoglobals // A constant of the wire.

// The valid years of a time. ClickHouse's DateTime64 ends with 2299, and no order is older than 1970.
const (
	minYear = 1970
	maxYear = 2299
)

// ParseWhen parses a time in every form that clients and the marketplace use:
//
//	2017-03-28                         a day, in IST
//	2017-03-28T18:03:01+05:30          any offset; also Z, +0530 and +05
//	2017-03-28T18:03:01.123456789Z     up to nine digits of a fraction; more are cut off
//	2017-03-28T18:03                   no seconds; no offset means IST
//	2017-03-28 18:03:01                a space for the T
//
// ok is false for anything else. The year 0 is accepted: reader.when reports a time out of range as another error than
// a malformed one. time.Parse would need a dozen layouts for these forms.
func ParseWhen(s string) (w shipment.When, ok bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return w, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return w, false
	}
	if len(s) == 10 {
		return shipment.When{Time: time.Date(year, time.Month(month), day, 0, 0, 0, 0, IST), Day: true}, true
	}
	if c := s[10]; c != 'T' && c != 't' && c != ' ' || len(s) < 16 || s[13] != ':' {
		return w, false
	}
	hour, ok1 := digits(s[11:13])
	minute, ok2 := digits(s[14:16])
	if !ok1 || !ok2 || hour > 23 || minute > 59 {
		return w, false
	}
	second, nanos, rest := 0, 0, s[16:]
	if len(rest) > 0 && rest[0] == ':' {
		if len(rest) < 3 {
			return w, false
		}
		if second, ok = digits(rest[1:3]); !ok || second > 60 {
			return w, false
		}
		if nanos, rest, ok = fraction(rest[3:]); !ok {
			return w, false
		}
	}
	zone, ok := offset(rest)
	if !ok {
		return w, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, min(second, 59), nanos, zone)
	return shipment.When{Time: t.UTC()}, true
}

func digits(s string) (n int, ok bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// fraction parses an optional fraction of a second.
func fraction(s string) (nanos int, rest string, ok bool) {
	if s == "" || s[0] != '.' && s[0] != ',' {
		return 0, s, true
	}
	i, scale := 1, 100_000_000
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		nanos += int(s[i]-'0') * scale
		scale /= 10
	}
	return nanos, s[i:], i > 1
}

// offset parses an optional offset from UTC. The common ones share a location, which saves an allocation per time.
func offset(s string) (*time.Location, bool) {
	switch s {
	case "":
		return IST, true
	case "Z", "z", "+00:00", "-00:00", "+0000":
		return time.UTC, true
	case "+05:30", "+0530":
		return IST, true
	}
	if s[0] != '+' && s[0] != '-' || len(s) < 3 {
		return nil, false
	}
	hours, ok := digits(s[1:3])
	if !ok || hours > 23 {
		return nil, false
	}
	minutes := 0
	switch {
	case len(s) == 3:
	case len(s) == 5:
		minutes, ok = digits(s[3:])
	case len(s) == 6 && s[3] == ':':
		minutes, ok = digits(s[4:])
	default:
		ok = false
	}
	if !ok || minutes > 59 {
		return nil, false
	}
	seconds := hours*3600 + minutes*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone("", seconds), true
}

// daysIn returns the length of a month. time.Date would turn February 30 into March 2 instead of refusing it.
func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

// endOfDay returns the time, or the last millisecond of a plain day: a promise for a day is kept until its end.
func endOfDay(w shipment.When) time.Time {
	if !w.Day {
		return w.Time
	}
	return w.Time.AddDate(0, 0, 1).Add(-time.Millisecond).UTC()
}
