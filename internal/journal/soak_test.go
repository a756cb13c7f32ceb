package journal

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// lastEpoch is the last epoch a broker hands out for a producer id; after it comes a new id, from epoch 0.
const lastEpoch = 1<<15 - 2

// epochs watches both ids of a lane at their coordinator.
type epochs struct {
	b     *bundle
	adm   *kadm.Client
	ids   []string
	at    []kadm.DescribedTransaction
	wraps [2]int // How often each has got a new producer id.
}

func (b *bundle) epochs() *epochs {
	b.Helper()
	aa, bb := kafka.LaneTransactionalIDs("orderledger", 0)
	e := &epochs{b: b, adm: kadm.NewClient(testkit.Client(b, b.brokers)), ids: []string{aa, bb}}
	e.at = b.describe(e.adm, e.ids...)
	return e
}

// look returns how many transactions are left until the next overflow of either id, and whether there was one.
func (e *epochs) look() (left int, wrapped bool) {
	e.b.Helper()
	now := e.b.describe(e.adm, e.ids...)
	left = lastEpoch
	for i := range now {
		if now[i].ProducerID != e.at[i].ProducerID {
			e.wraps[i]++
			wrapped = true
		}
		left = min(left, lastEpoch-int(now[i].ProducerEpoch))
	}
	e.at = now
	return left, wrapped
}

// raise fences both ids until only a few epochs are left, which is faster than as many transactions. It does so at the
// broker itself, where the ids have other names, and finds them by their producer ids.
func (e *epochs) raise(left int) {
	e.b.Helper()
	brokers := testkit.ApacheKafka(e.b)
	var g errgroup.Group
	for _, at := range e.at {
		g.Go(func() error {
			client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
			if err != nil {
				return err
			}
			defer client.Close()
			listed, err := kadm.NewClient(client).ListTransactions(e.b.Context(), []int64{at.ProducerID}, nil)
			if err != nil {
				return err
			}
			ids := listed.TransactionalIDs()
			if len(ids) != 1 {
				return fmt.Errorf("ids of producer %d: %v", at.ProducerID, ids)
			}
			for n := lastEpoch - left - int(at.ProducerEpoch); n > 0; n-- {
				req := kmsg.NewPtrInitProducerIDRequest()
				req.TransactionalID, req.TransactionTimeoutMillis = &ids[0], 5000
				req.ProducerID, req.ProducerEpoch = -1, -1
				if _, err := req.RequestWith(e.b.Context(), client); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(e.b, g.Wait())
	e.at = e.b.describe(e.adm, e.ids...)
}

// TestLaneEpochOverflow writes so many transactions that the epochs of the lane's two ids exceed 16 bits: the broker
// raises them with every transaction. The lane changes hands in the middle, and again right after an overflow. The
// short version raises most of the epochs by fencing.
func TestLaneEpochOverflow(t *testing.T) {
	t.Parallel()
	b := setupOn(t, testkit.Apache, 1)
	transactions, shipments := 3000, 100
	first := b.start(terse(), named("one")).ready()
	e := b.epochs()
	if soak() {
		transactions = 140_000
	} else {
		first.stop()
		began := time.Now()
		e.raise(transactions / 4)
		t.Log("epochs raised in", time.Since(began))
		first = b.start(terse(), named("one")).ready()
		e.at = b.describe(e.adm, e.ids...)
	}

	owner, takeovers := first, 0
	var overflow bool // The lane changed hands right after one.
	var memory []uint64
	began, left := time.Now(), 0
	for n := range transactions {
		id := "s" + strconv.Itoa(n%shipments)
		c := createCmd(id)
		if n >= shipments {
			c = cmd(id, "note", strconv.Itoa(n))
		}
		require.EqualValues(t, 1+n/shipments, owner.mustSubmit(c).Version)
		wrapped := false
		if left--; left <= 0 {
			left, wrapped = e.look()
			left /= 2 // Each transaction is on one of the two, and a takeover uses one epoch of each.
			left = min(left, transactions/20)
		}
		if n == transactions/2 || wrapped && !overflow {
			overflow = overflow || wrapped
			owner = b.takeOverFrom(owner)
			takeovers++
		}
		if n%(transactions/20) == transactions/40 {
			memory = append(memory, heap())
		}
	}
	took := time.Since(began)
	e.look()
	t.Logf("%d transactions in %s, %.0f/s; producer ids renewed: Aa %d, BB %d; takeovers %d; heap KiB %d; resident %s",
		transactions, took.Round(time.Millisecond), float64(transactions)/took.Seconds(), e.wraps[0], e.wraps[1], takeovers,
		memory, resident(t))
	require.Positive(t, e.wraps[0], "the epoch of Aa overflowed")
	require.Positive(t, e.wraps[1], "the epoch of BB overflowed")
	require.True(t, overflow)
	if soak() {
		// The memory of the first quarter is enough for the rest: a transaction leaves nothing behind.
		quarter := memory[len(memory)/4]
		require.Less(t, memory[len(memory)-1], quarter+16<<10, "heap in KiB")
	}

	owner.stop()
	k := b.check()
	require.Len(t, k.events[0], transactions)
	require.Len(t, k.decisions[0], transactions)
}

// takeOverFrom starts a successor of the same name while the owner still runs, as after a crash that nobody has noticed
// yet.
func (b *bundle) takeOverFrom(owner *instance) *instance {
	b.Helper()
	next := b.start(terse(), named("one"), storeIn(copyDir(b, owner.cfg.StoreDir))).ready()
	owner.cancel()
	<-owner.done // With an error or without: the group may have refused it for its successor.
	owner.ended = true
	return next
}

// heap returns the KiB in use after a collection.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc >> 10
}

func resident(t testing.TB) string {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return fmt.Sprint(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}
