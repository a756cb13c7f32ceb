package journal

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/testkit"
)

// stopAfter stops the lane's goroutine after each batch, which it counts, until a value can be received.
func stopAfter(stored *atomic.Int64, batches <-chan struct{}) option {
	return func(_ *Config, _ *Deps, j *Journal) {
		j.hooks.onStored = func(int32) {
			stored.Add(1)
			<-batches
		}
	}
}

// before returns how many decisions the lane recorded before the first one of a seller.
func (k *book) before(seller string) int {
	for i, d := range k.decisions[0] {
		if d.GetSellerId() == seller {
			return i
		}
	}
	return len(k.decisions[0])
}

func (q *callQueue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size
}

// A seller with thousands of queued calls or notifications does not delay another one's call.
func TestIntakeIsFairBetweenSellers(t *testing.T) {
	t.Parallel()
	const queued, most = 2000, 50
	for name, test := range map[string]struct {
		calls, notes bool
		bytes        int  // At which a batch ends.
		limit        int  // The most decisions before the other seller's.
		during       bool // The other's call comes while the first ones are decided.
	}{
		"calls":                                 {calls: true, bytes: 8 << 20, limit: 2},
		"notifications":                         {notes: true, bytes: 8 << 20, limit: most + 2},
		"both":                                  {calls: true, notes: true, bytes: 8 << 20, limit: most + 3},
		"calls that fill a transaction":         {calls: true, bytes: 1, limit: 3},
		"notifications that fill a transaction": {notes: true, bytes: 1, limit: 3},
		"while calls fill a transaction each":   {calls: true, bytes: 1, limit: 8, during: true},
		"both filling transactions":             {calls: true, notes: true, bytes: 1, limit: 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
				b := setupOn(t, on, 1)
				batches, stored := make(chan struct{}), atomic.Int64{}
				bound := config(func(c *Config) { c.MaxBatch, c.MaxBatchBytes = most, test.bytes })
				j := b.start(bound, stopAfter(&stored, batches)).ready()
				lane := j.lanes.serving(0)
				ctx, cancel := context.WithTimeout(t.Context(), testkit.Limit)
				defer cancel()
				done := make(chan error, 3)
				// While the lane is in its first batch, both sellers queue.
				submit := func(c Command) {
					_, err := j.Submit(ctx, c)
					done <- err
				}
				go submit(createCmd("first"))
				testkit.Eventually(t, func() bool { return stored.Load() == 1 }, "the lane is in a batch")
				waitFor, calls := 2, 0
				if test.calls {
					waitFor, calls = 3, queued
					go func() {
						list := make([]Command, queued)
						for i := range list {
							list[i] = createCmd(fmt.Sprint("many", i))
						}
						for _, r := range j.SubmitAll(ctx, list) {
							if r.Err != nil {
								done <- r.Err
								return
							}
						}
						done <- nil
					}()
				}
				last := int64(-1)
				if test.notes {
					for i := range queued / 10 {
						last = b.append(note(fmt.Sprint("note", i), "c", toy{Kind: "create"}))
					}
				}
				testkit.Eventually(t, func() bool { return lane.intake.calls.length() == calls }, "queued")
				if test.during {
					for range 3 {
						batches <- struct{}{}
					}
					testkit.Eventually(t, func() bool { return stored.Load() == 4 }, "the lane is in a batch")
					calls = lane.intake.calls.length()
				}
				other := createCmd("other")
				other.SellerID = "s2"
				go submit(other)
				testkit.Eventually(t, func() bool { return lane.intake.calls.length() > calls }, "queued")
				close(batches)
				for range waitFor {
					require.NoError(t, <-done)
				}
				if test.notes {
					j.decided(0, last)
				}
				k := b.check()
				require.LessOrEqual(t, k.before("s2"), test.limit)
				next := map[string]int{}
				for _, d := range k.decisions[0][1:] {
					if d.GetSellerId() == "s1" {
						var n int
						kind := d.Decision.GetShipmentId()[:4]
						_, err := fmt.Sscanf(d.Decision.GetShipmentId()[4:], "%d", &n)
						require.NoError(t, err)
						require.Equal(t, next[kind], n, "in order")
						next[kind]++
					}
				}
			})
		})
	}
}

// Neither kind waits for the end of the other's queue, however few inputs fill a transaction.
func TestIntakeAlternates(t *testing.T) {
	t.Parallel()
	const full, queued = 6, 20
	for name, fits := range map[string]int{"one fills a transaction": 1, "two do": 2, "all fit": full} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newIntake(&lane{j: &Journal{cfg: Config{MaxBatch: full}}, writer: &writer{inbox: &inboxReader{}}})
			for i := range queued {
				k.calls.put([]*call{{key: fmt.Sprint(i), cmd: Command{SellerID: "a"}}})
				k.carry = append(k.carry, &input{record: InboxRecord{Key: fmt.Sprint(i)}})
			}
			var calls, records []string
			for len(calls)+len(records) < 2*queued {
				inputs, err := k.await(t.Context(), nil)
				require.NoError(t, err)
				for _, in := range inputs[:min(fits, len(inputs))] {
					if in.call != nil {
						calls = append(calls, in.call.key)
					} else {
						records = append(records, in.record.Key)
					}
					require.InDelta(t, len(calls), len(records), 1, "they take turns")
				}
				k.putBack(inputs[min(fits, len(inputs)):])
			}
			for i := range queued {
				require.Equal(t, fmt.Sprint(i), calls[i], "in order")
				require.Equal(t, fmt.Sprint(i), records[i], "in order")
			}
		})
	}
}

// Sellers take turns, with one command each.
func TestCallQueueTakesTurns(t *testing.T) {
	t.Parallel()
	q := newCallQueue()
	of := func(seller string, n int) (calls []*call) {
		for i := range n {
			calls = append(calls, &call{key: fmt.Sprint(seller, i), cmd: Command{SellerID: seller}})
		}
		return calls
	}
	taken := func(most int) (keys []string) {
		for _, in := range q.take(most) {
			keys = append(keys, in.call.key)
		}
		return keys
	}
	q.put(of("a", 5))
	q.put(of("b", 2))
	require.Equal(t, []string{"a0", "b0", "a1"}, taken(3))
	q.put(of("c", 1))
	require.Equal(t, []string{"b1", "c0", "a2"}, taken(3))
	require.Len(t, q.wake, 1)

	// Those that did not fit come first again, also if others of the seller came meanwhile.
	back := of("d", 3)
	for _, c := range back {
		c.queue = "d"
	}
	q.putBack(back[1:])
	q.putBack(back[:1])
	require.Equal(t, []string{"d0", "a3", "d1", "a4", "d2"}, taken(10))
	require.Empty(t, taken(10))
	require.Empty(t, q.turns)

	// Together is in order, whatever the sellers are.
	q.put(append(of("a", 2), of("b", 2)...))
	q.put(of("b", 1))
	require.Equal(t, []string{"a0", "b0", "a1", "b0", "b1"}, taken(10))

	// A lane that is closed for long does not collect commands whose callers have gone.
	for range 3 * purgeAt {
		gone := of("gone", 1)
		q.put(gone)
		gone[0].state.Store(callGone)
		require.LessOrEqual(t, q.size, purgeAt)
	}
	q.put(of("b", 1))
	require.Equal(t, []string{"b0"}, taken(10))
	require.Empty(t, q.drain())
}
