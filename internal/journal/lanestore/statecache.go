package lanestore

import "container/list"

// StateCache holds encoded states of a lane, the most recently used ones, up to a number of bytes. It keeps them
// encoded, because a decoded state takes four times the memory, in many small objects that the garbage collector scans
// again and again; decoding a state for each use costs less.
type StateCache struct {
	max, size int
	byID      map[string]*list.Element
	order     *list.List // Most recently used first.
}

type cachedState struct {
	id      string
	encoded []byte
}

// entryOverhead is about what the map and the list take for one state.
const entryOverhead = 160

func (s *cachedState) size() int { return len(s.id) + cap(s.encoded) + entryOverhead }

func newStateCache(maxBytes int) *StateCache {
	return &StateCache{max: maxBytes, byID: map[string]*list.Element{}, order: list.New()}
}

// Get returns an encoded state, valid until the next Put.
func (c *StateCache) Get(id string) ([]byte, bool) {
	e, ok := c.byID[id]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cachedState).encoded, true //nolint:forcetypeassert // Nothing else is in the list.
}

// Put keeps a copy of an encoded state.
func (c *StateCache) Put(id string, encoded []byte) {
	if e, ok := c.byID[id]; ok {
		s := e.Value.(*cachedState) //nolint:forcetypeassert // Nothing else is in the list.
		c.size -= s.size()
		s.encoded = append(s.encoded[:0], encoded...)
		c.size += s.size()
		c.order.MoveToFront(e)
	} else {
		s := &cachedState{id, append([]byte(nil), encoded...)}
		c.byID[id] = c.order.PushFront(s)
		c.size += s.size()
	}
	for c.size > c.max && c.order.Len() > 1 {
		s := c.order.Remove(c.order.Back()).(*cachedState) //nolint:forcetypeassert // Nothing else is in the list.
		delete(c.byID, s.id)
		c.size -= s.size()
	}
}

// Clear empties the cache.
func (c *StateCache) Clear() {
	c.byID, c.size = map[string]*list.Element{}, 0
	c.order.Init()
}
