package returns

import (
	"slices"

	"github.com/orderledger/orderledger/internal/marketplace"
)

// division says which shipment gets which lines of a notification of a return.
type division struct {
	parts    []marketplace.Part // Of the shipments that have recorded the return and have not got theirs.
	reached  []string           // Those shipments, also the ones that no line concerns.
	complete bool               // Every shipment of the return has recorded it.
	rest     []marketplace.Part // Of the other shipments that are known by name, with the lines that nobody has.
}

// divide divides the lines of a notification among the shipments of its return, which are in the order of their ids. A
// shipment gets the lines of its own items, so that it does not report those of others as unknown. A line that no
// shipment has goes to one of them, once all are known, which reports it. A notification without lines means all: every
// shipment gets it whole.
func divide(n *marketplace.Notification, linked []linkedShipment, done []string) (d division) {
	lines := n.Lines()
	count := len(linked)
	var named []string // Shipments without an alias of their own.
	owners := map[string][]int{}
	for i, s := range linked {
		count = max(count, s.count)
		for _, item := range s.items {
			owners[item] = append(owners[item], i)
		}
		for _, id := range s.siblings {
			known := slices.ContainsFunc(linked, func(l linkedShipment) bool { return l.id == id })
			if !known && !slices.Contains(named, id) {
				named = append(named, id)
			}
		}
	}
	d.complete = max(count, len(linked)+len(named)) == len(linked)
	of, unowned := make([][]int, len(linked)), []int(nil)
	for i, line := range lines {
		at := owners[line.OrderItemID]
		if line.ShipmentID != "" {
			at = nil
			if j := slices.IndexFunc(linked, func(l linkedShipment) bool { return l.id == line.ShipmentID }); j >= 0 {
				at = []int{j}
			}
		}
		for _, j := range at {
			of[j] = append(of[j], i)
		}
		if len(at) == 0 {
			unowned = append(unowned, i)
		}
	}
	open := slices.DeleteFunc(seq(len(linked)), func(i int) bool { return slices.Contains(done, linked[i].id) })
	for k, i := range open {
		mine := of[i]
		if d.complete && k == len(open)-1 {
			mine = append(mine, unowned...)
			slices.Sort(mine)
		}
		d.reached = append(d.reached, linked[i].id)
		if len(mine) > 0 || len(lines) == 0 {
			d.parts = append(d.parts, part(linked[i].id, mine, len(lines)))
		}
	}
	for _, id := range named {
		if len(unowned) > 0 || len(lines) == 0 {
			d.rest = append(d.rest, part(id, unowned, len(lines)))
		}
	}
	return d
}

// part returns a part with these lines; one with all lines has the whole notification.
func part(shipmentID string, lines []int, all int) marketplace.Part {
	if len(lines) == all {
		lines = nil
	}
	return marketplace.Part{ShipmentID: shipmentID, Lines: lines}
}

func seq(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
