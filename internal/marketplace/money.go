package marketplace

import (
	"math"
	"strconv"
	"strings"
)

// MinorDigits returns how many digits of a unit of money its minor unit has (ISO 4217), as the ledger counts it; two
// where the currency is not listed.
func MinorDigits(currency string) int {
	switch currency {
	case "JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF", "PYG", "RWF", "KMF", "DJF", "GNF", "BIF", "VUV", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	default:
		return 2
	}
}

// parseMinor turns the digits of a JSON number into minor units, exactly: no float is between. Digits beyond the minor
// unit are rounded half away from zero. ok is false where the amount does not fit.
func parseMinor(number string, digits int) (minor int64, ok bool) {
	mantissa, exponent := number, 0
	if e := strings.IndexAny(number, "eE"); e >= 0 {
		var err error
		if exponent, err = strconv.Atoi(number[e+1:]); err != nil || exponent > 40 || exponent < -40 {
			return 0, false
		}
		mantissa = number[:e]
	}
	negative := strings.HasPrefix(mantissa, "-")
	mantissa = strings.TrimPrefix(mantissa, "-")
	whole, part, _ := strings.Cut(mantissa, ".")
	// The point moves right by the exponent and by the minor digits; keep counts the digits that are left of it then.
	keep := len(whole) + exponent + digits
	roundUp := false
	for i := 0; i < max(len(whole)+len(part), keep); i++ {
		var c byte = '0'
		switch {
		case i < len(whole):
			c = whole[i]
		case i < len(whole)+len(part):
			c = part[i-len(whole)]
		}
		if i >= keep {
			roundUp = i == keep && c >= '5'
			break
		}
		if minor > (math.MaxInt64-9)/10 {
			return 0, false
		}
		minor = minor*10 + int64(c-'0')
	}
	if roundUp {
		minor++
	}
	if negative {
		minor = -minor
	}
	return minor, true
}

// formatMinor writes minor units as a decimal number, without needless zeros: 2150 is 21.5.
func formatMinor(minor int64, digits int) string {
	sign := ""
	u := uint64(minor)
	if minor < 0 {
		sign, u = "-", -u
	}
	s := strconv.FormatUint(u, 10)
	if digits == 0 {
		return sign + s
	}
	if len(s) <= digits {
		s = strings.Repeat("0", digits+1-len(s)) + s
	}
	whole, part := s[:len(s)-digits], strings.TrimRight(s[len(s)-digits:], "0")
	if part == "" {
		return sign + whole
	}
	return sign + whole + "." + part
}
