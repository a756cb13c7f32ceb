package journal

// arena hands out pieces of large blocks, and takes all of them back at once.
type arena struct {
	blocks [][]byte
	block  int
	used   int
}

const (
	arenaBlock = 256 << 10
	arenaKeep  = 16 // Blocks.
)

func (a *arena) reset() {
	if len(a.blocks) > arenaKeep { // A batch of large records must not hold its memory for ever.
		clear(a.blocks[arenaKeep:])
		a.blocks = a.blocks[:arenaKeep]
	}
	a.block, a.used = 0, 0
}

// take returns n bytes, valid until reset. Large ones are allocated: they would leave most of a block unused.
func (a *arena) take(n int) []byte {
	if n > arenaBlock/4 {
		return make([]byte, n)
	}
	if a.block < len(a.blocks) && a.used+n > arenaBlock {
		a.block, a.used = a.block+1, 0
	}
	if a.block == len(a.blocks) {
		a.blocks = append(a.blocks, make([]byte, arenaBlock))
	}
	v := a.blocks[a.block][a.used : a.used+n : a.used+n] // The capacity too: an append must not run into the next piece.
	a.used += n
	return v
}

func (a *arena) text(s string) []byte {
	b := a.take(len(s))
	copy(b, s)
	return b
}
