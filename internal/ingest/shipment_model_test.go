package ingest_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// The model: a shipment has items in groups. A seller's call cancels some groups; it is accepted if any of them is
// left, and then none is. A key that was answered once gets the same answer again.

// cancelOp cancels groups of a shipment. Without a key it reads which groups are left.
type cancelOp struct {
	shipment string
	groups   uint16
	key      string
}

// cancelled is the outcome of a cancelOp.
type cancelled struct {
	unknown  bool // There is none: the command may be stored, now or later.
	accepted bool
	offset   int64  // Of the event, if it was accepted.
	left     uint16 // The result of a read.
}

type shipmentState struct {
	left    uint16
	last    int64                // The offset of the last event that an answer named.
	answers map[string]cancelled // By key. It is copied, never changed: states share it.
}

func shipmentModel(groups uint16) porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			of := map[string][]porcupine.Operation{}
			for _, op := range history {
				id := op.Input.(cancelOp).shipment
				of[id] = append(of[id], op)
			}
			return slices.Collect(maps.Values(of))
		},
		Init: func() any { return shipmentState{left: groups, last: -1} },
		Step: func(state, input, output any) (bool, any) {
			return state.(shipmentState).step(input.(cancelOp), output.(cancelled))
		},
		Equal: func(a, b any) bool {
			x, y := a.(shipmentState), b.(shipmentState)
			return x.left == y.left && x.last == y.last && maps.Equal(x.answers, y.answers)
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
	}
}

func (s shipmentState) step(op cancelOp, out cancelled) (bool, shipmentState) {
	if op.key == "" {
		return out.left == s.left, s
	}
	if first, ok := s.answers[op.key]; ok {
		if out.unknown {
			return true, s
		}
		if first.offset < 0 { // No answer has named it so far.
			first.offset = out.offset
		}
		return out.accepted == first.accepted && out.offset == first.offset, s.with(op.key, first)
	}
	answer := cancelled{accepted: s.left&op.groups != 0, offset: out.offset}
	if out.unknown {
		answer.offset = -1
	} else if out.accepted != answer.accepted || out.accepted && out.offset <= s.last {
		return false, s
	}
	if answer.accepted {
		s.left &^= op.groups
		s.last = max(s.last, answer.offset)
	}
	return true, s.with(op.key, answer)
}

func (s shipmentState) with(key string, a cancelled) shipmentState {
	answers := maps.Clone(s.answers)
	if answers == nil {
		answers = map[string]cancelled{}
	}
	answers[key] = a
	s.answers = answers
	return s
}

func op(call, ret int64, in cancelOp, out cancelled) porcupine.Operation {
	in.shipment = "S"
	return porcupine.Operation{Input: in, Output: out, Call: call, Return: ret}
}

func TestShipmentModel(t *testing.T) {
	t.Parallel()
	yes := func(offset int64) cancelled { return cancelled{accepted: true, offset: offset} }
	no, unknown := cancelled{}, cancelled{unknown: true}
	const end = int64(1) << 60
	for name, c := range map[string]struct {
		right   bool
		history []porcupine.Operation
	}{
		"one after another": {true, []porcupine.Operation{
			op(1, 2, cancelOp{groups: 1, key: "a"}, yes(5)), op(3, 4, cancelOp{groups: 1, key: "b"}, no), op(5, 6, cancelOp{}, cancelled{left: 2}),
		}},
		"concurrent, in either order": {true, []porcupine.Operation{
			op(1, 9, cancelOp{groups: 1, key: "a"}, no), op(2, 8, cancelOp{groups: 1, key: "b"}, yes(5)),
		}},
		"cancelled twice": {false, []porcupine.Operation{
			op(1, 9, cancelOp{groups: 1, key: "a"}, yes(4)), op(2, 8, cancelOp{groups: 1, key: "b"}, yes(5)),
		}},
		"refused though it was left": {false, []porcupine.Operation{op(1, 2, cancelOp{groups: 1, key: "a"}, no)}},
		"undone after it was accepted": {false, []porcupine.Operation{
			op(1, 2, cancelOp{groups: 1, key: "a"}, yes(4)), op(3, 4, cancelOp{}, cancelled{left: 3}),
		}},
		"a key with two answers": {false, []porcupine.Operation{
			op(1, 2, cancelOp{groups: 1, key: "a"}, yes(4)), op(3, 4, cancelOp{groups: 1, key: "a"}, no),
		}},
		"a key whose repeat names another event": {false, []porcupine.Operation{
			op(1, 2, cancelOp{groups: 1, key: "a"}, yes(4)), op(3, 4, cancelOp{groups: 1, key: "a"}, yes(6)),
		}},
		"a later call before an earlier one in the ledger": {false, []porcupine.Operation{
			op(1, 2, cancelOp{groups: 1, key: "a"}, yes(9)), op(3, 4, cancelOp{groups: 2, key: "b"}, yes(5)),
		}},
		"in doubt and stored": {true, []porcupine.Operation{
			op(1, end, cancelOp{groups: 1, key: "a"}, unknown), op(3, 4, cancelOp{groups: 1, key: "b"}, no),
		}},
		"in doubt and not stored": {true, []porcupine.Operation{
			op(1, end, cancelOp{groups: 1, key: "a"}, unknown), op(3, 4, cancelOp{}, cancelled{left: 3}),
		}},
		"in doubt, stored and then undone": {false, []porcupine.Operation{
			op(1, end, cancelOp{groups: 1, key: "a"}, unknown), op(3, 4, cancelOp{groups: 1, key: "b"}, no), op(5, 6, cancelOp{}, cancelled{left: 3}),
		}},
	} {
		require.Equal(t, c.right, porcupine.CheckOperations(shipmentModel(3), c.history), name)
	}
}
