package journal

import (
	"container/list"

	"github.com/orderledger/orderledger/internal/shipment"
)

// stateCache holds decoded states of a lane, the most recently used ones, up to a number of bytes. A decoded state takes
// a few times its encoded size, which is what is counted.
type stateCache struct {
	max, size int
	byID      map[string]*list.Element
	order     *list.List // Most recently used first.
}

type cachedState struct {
	id    string
	state *shipment.State
	size  int
}

// decodedFactor is about how much larger a decoded state is than its bytes.
const decodedFactor = 4

func newStateCache(maxBytes int) *stateCache {
	return &stateCache{max: maxBytes, byID: map[string]*list.Element{}, order: list.New()}
}

func (c *stateCache) get(id string) (*shipment.State, bool) {
	e, ok := c.byID[id]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cachedState).state, true //nolint:forcetypeassert // Nothing else is in the list.
}

func (c *stateCache) put(id string, state *shipment.State, encoded int) {
	size := encoded*decodedFactor + len(id) + 128
	if e, ok := c.byID[id]; ok {
		s := e.Value.(*cachedState) //nolint:forcetypeassert // Nothing else is in the list.
		c.size += size - s.size
		s.state, s.size = state, size
		c.order.MoveToFront(e)
	} else {
		c.byID[id] = c.order.PushFront(&cachedState{id, state, size})
		c.size += size
	}
	for c.size > c.max && c.order.Len() > 1 {
		last := c.order.Back()
		s := c.order.Remove(last).(*cachedState) //nolint:forcetypeassert // Nothing else is in the list.
		delete(c.byID, s.id)
		c.size -= s.size
	}
}

func (c *stateCache) clear() {
	c.byID, c.size = map[string]*list.Element{}, 0
	c.order.Init()
}
