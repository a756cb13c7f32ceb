package marketplace

import "strings"

// The most ids that one read takes.
const (
	MaxShipmentIDs  = 100
	MaxLabelOnlyIDs = 50
	MaxReturnIDs    = 25
)

// SplitIDs splits a comma-separated list of ids, as it stands in a path or a query after decoding: the official client
// writes commas as %2C. Blanks around an id are cut off, empty ones and repeats are left out; the order is kept.
func SplitIDs(s string) []string {
	var ids []string
	seen := map[string]bool{}
	for id := range strings.SplitSeq(s, ",") {
		if id = strings.TrimSpace(id); id != "" && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}
