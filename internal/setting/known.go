package setting

import (
	"slices"
	"strings"
)

// prefix begins the variables of all programs.
const prefix = "ORDERLEDGER_"

// Unknown returns the variables of an environment (NAME=value) that begin as ours do and that no program reads: they
// are misspelt, and what they should set keeps its default. Programs share their environment, so the variables of all
// of them are known; those of the tests are left out. Each unknown variable comes with the nearest known one, or an
// empty text.
func Unknown(environ []string) map[string]string {
	unknown, names := map[string]string{}, Known()
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, prefix) || value == "" || slices.Contains(names, name) || isOfTests(name) {
			continue
		}
		unknown[name] = nearest(name, names)
	}
	return unknown
}

func isOfTests(name string) bool {
	return strings.HasPrefix(name, prefix+"TEST_") || strings.HasPrefix(name, prefix+"CHAOS_") ||
		strings.HasPrefix(name, prefix+"BENCH_")
}

// nearest returns the known name with the smallest edit distance; none if it has little in common with all.
func nearest(name string, known []string) string {
	best, least := "", len(name)/3
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
