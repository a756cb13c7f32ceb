package marketplace

import (
	"math"
	"strconv"
	"strings"
)

// MinorDigits returns the number of decimal digits of a currency (ISO 4217); two for a currency that is not listed. It
// must not change for a currency: the ledger stores amounts in minor units.
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

// parseMinor converts the text of a JSON number into minor units. It never goes through a float: 4.35 has no exact
// float, and 4.35 times 100 truncates to 434. It rounds digits beyond the minor unit half away from zero. ok is false
// if the amount overflows.
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
	// The exponent and the minor digits move the point to the right; keep is the number of digits on its left then.
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

// formatMinor formats minor units as a decimal number without trailing zeros: 2150 becomes 21.5, as in the
// marketplace's own payloads.
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
