package marketplace

import "strings"

// The most ids of one read, as the marketplace documents them.
const (
	MaxShipmentIDs  = 100
	MaxLabelOnlyIDs = 50
	MaxReturnIDs    = 25
)

// SplitIDs splits a comma-separated list of ids. It trims white space around ids and drops empty ids and duplicates; it
// keeps the order. An id can contain a comma, so the caller must have looked at how the commas were escaped.
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
