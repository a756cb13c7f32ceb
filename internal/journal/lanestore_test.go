package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/testkit"
)

// fillLane writes a little of everything and returns the folder of the store.
func fillLane(t *testing.T, b *bundle, dir string) {
	t.Helper()
	j := b.start(storeIn(dir)).ready()
	j.mustSubmit(keyed(createCmd("a"), "k"))
	j.decided(0, b.append(note("a", "n1", toy{Kind: "note", Text: "1"}), note("b", "n2", toy{Kind: "note"}), note("a", "n3", toy{Kind: "stale"})))
	j.mustSubmit(cmd("c", "note", "x"))
	j.stop()
}

// resume starts on a store and checks that everything is as fillLane and others left it.
func resume(t *testing.T, b *bundle, dir string, rebuilds float64) *instance {
	t.Helper()
	j := b.start(storeIn(dir)).ready()
	require.InDelta(t, rebuilds, counted(j.metrics.rebuilds), 0)
	require.True(t, j.mustSubmit(keyed(createCmd("a"), "k")).Repeated)
	require.EqualValues(t, 3, j.mustSubmit(cmd("a", "note", "x")).Version)
	j.decided(0, b.append(note("b", "c", toy{Kind: "create"}), note("a", "n1", toy{Kind: "note", Text: "1"})))
	s, err := j.State(t.Context(), "b")
	require.NoError(t, err)
	require.EqualValues(t, 2, s.GetVersion(), "the waiting input was applied")
	b.check()
	return j
}

// A deleted store is rebuilt.
func TestLaneStoreDeleted(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		fillLane(t, b, dir)
		require.NoError(t, os.RemoveAll(dir))
		resume(t, b, dir, 0)
	})
}

// A store that is older than the lane reads the rest.
func TestLaneStoreOlder(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		j := b.start(storeIn(dir)).ready()
		j.stop()
		old := copyDir(t, dir)
		fillLane(t, b, dir)
		older := copyDir(t, dir)
		j = resume(t, b, dir, 0)
		j.mustSubmit(keyed(createCmd("d"), "kd"))
		j.stop()
		for _, d := range []string{old, older} {
			j = b.start(storeIn(d)).ready()
			require.InDelta(t, 0, counted(j.metrics.rebuilds), 0)
			require.True(t, j.mustSubmit(keyed(createCmd("d"), "kd")).Repeated)
			j.stop()
		}
		b.check()
	})
}

// A store of another ledger is removed.
func TestLaneStoreOfOtherLedger(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b, other := setupOn(t, on, 1), setupOn(t, on, 1)
		dir := t.TempDir()
		j := other.start(storeIn(dir)).ready()
		for i := range 10 {
			j.mustSubmit(createCmd(fmt.Sprint("other", i)))
		}
		j.stop()
		fillLane(t, b, t.TempDir())
		j = resume(t, b, dir, 0)
		s, err := j.State(t.Context(), "other1")
		require.NoError(t, err)
		require.Nil(t, s)
	})
}

// metaKey is where a store holds its position.
var metaKey = []byte("m")

// quiet is a Pebble logger that writes nothing.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// editMeta changes the position in a store.
func editMeta(t *testing.T, dir string, change func(*lanestore.Meta)) {
	t.Helper()
	db, err := pebble.Open(lanestore.Dir(dir, 0), &pebble.Options{Logger: quiet{}})
	require.NoError(t, err)
	raw, closer, err := db.Get(metaKey)
	require.NoError(t, err)
	var m lanestore.Meta
	require.NoError(t, json.Unmarshal(raw, &m))
	require.NoError(t, closer.Close())
	change(&m)
	raw, err = json.Marshal(m)
	require.NoError(t, err)
	require.NoError(t, db.Set(metaKey, raw, pebble.Sync))
	require.NoError(t, db.Close())
}

// A store whose chain head is not the lane's is rebuilt.
func TestLaneStoreWrongHead(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		for name, change := range map[string]func(*lanestore.Meta){
			"events":            func(m *lanestore.Meta) { m.Events.Head[0]++ },
			"decisions":         func(m *lanestore.Meta) { m.Decisions.Head[0]++ },
			"ahead of the lane": func(m *lanestore.Meta) { m.Events.Next += 1000; m.Events.Last += 1000 },
			"another offset":    func(m *lanestore.Meta) { m.Decisions.Last-- },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := setupOn(t, on, 1)
				dir := t.TempDir()
				fillLane(t, b, dir)
				editMeta(t, dir, change)
				resume(t, b, dir, 1)
			})
		}
	})
}

// A store that has an input that waits at another place than the lane is rebuilt. A lane that misses it after that too
// is damaged.
func TestLaneStoreWrongWaiting(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		fillLane(t, b, dir)
		db, err := pebble.Open(lanestore.Dir(dir, 0), &pebble.Options{Logger: quiet{}})
		require.NoError(t, err)
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte("w"), UpperBound: []byte("x")})
		require.NoError(t, err)
		require.True(t, it.First())
		key, value := bytes.Clone(it.Key()), bytes.Clone(it.Value())
		require.NoError(t, it.Close())
		value[0] ^= 2 // The offset of its decision is the first number.
		require.NoError(t, db.Set(key, value, pebble.Sync))
		require.NoError(t, db.Close())
		resume(t, b, dir, 0)
	})
	w, of := waitingRecords{l: &lane{}}, lanestore.Waiting{Seq: 7, ShipmentID: "a"}
	store := (*lostError)(nil)
	require.ErrorAs(t, w.miss(&of), &store)
	require.True(t, store.store)
	require.NotErrorIs(t, store, ErrDamaged)
	require.ErrorIs(t, w.miss(&of), ErrDamaged)
}

// A damaged store is rebuilt.
func TestLaneStoreDamaged(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		for _, pattern := range []string{"MANIFEST-*", "*.log", "*.sst", "OPTIONS-*", "*"} {
			t.Run(pattern, func(t *testing.T) {
				t.Parallel()
				b := setupOn(t, on, 1)
				dir := t.TempDir()
				fillLane(t, b, dir)
				db, err := pebble.Open(lanestore.Dir(dir, 0), &pebble.Options{Logger: quiet{}})
				require.NoError(t, err)
				require.NoError(t, db.Flush())
				require.NoError(t, db.Close())
				files, err := filepath.Glob(filepath.Join(lanestore.Dir(dir, 0), pattern))
				require.NoError(t, err)
				for _, f := range files {
					raw, err := os.ReadFile(f)
					require.NoError(t, err)
					for i := range raw {
						raw[i] ^= 0x5a
					}
					require.NoError(t, os.WriteFile(f, raw, 0o600))
				}
				j := b.start(storeIn(dir)).ready()
				require.True(t, j.mustSubmit(keyed(createCmd("a"), "k")).Repeated)
				require.EqualValues(t, 3, j.mustSubmit(cmd("a", "note", "x")).Version)
				b.check()
			})
		}
	})
}

// A lane whose records were altered stays closed.
func TestTakeoverOfAlteredLane(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		fillLane(t, b, t.TempDir())
		to := setupOn(t, on, 1)
		to.transplant(b, func(topic string, seq uint64) bool { return topic == events.TopicEvents && seq == 1 }, nil)
		j := to.start()
		testkit.Eventually(t, func() bool {
			err := j.Ready()
			return err != nil && counted(j.metrics.takeovers.WithLabelValues("failed")) > 0
		}, "it is refused")
		require.ErrorIs(t, j.Ready(), ErrDamaged)
	})
}

// A lane whose records were deleted stays closed, and so does one whose notifications were deleted before it decided
// them.
func TestTakeoverOutOfRange(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		for name, lose := range map[string]func(*bundle, *kgo.Client){
			"the first event": func(b *bundle, client *kgo.Client) {
				testkit.Trim(b, client, events.TopicEvents, 0, 1)
			},
			"the first decision": func(b *bundle, client *kgo.Client) {
				testkit.Trim(b, client, events.TopicDecisions, 0, 1)
			},
			"a notification that is not decided": func(b *bundle, client *kgo.Client) {
				last := b.append(note("a", "n4", toy{Kind: "note"}), note("a", "n5", toy{Kind: "note"}))
				testkit.Trim(b, client, events.TopicInbox, 0, last)
			},
			"the inbox": func(b *bundle, client *kgo.Client) {
				adm := kadm.NewClient(client)
				_, err := adm.DeleteTopic(b.Context(), events.TopicInbox)
				require.NoError(b, err)
				testkit.Eventually(b, func() bool {
					_, err := adm.CreateTopic(b.Context(), int32(b.lanes), -1, nil, events.TopicInbox)
					return err == nil
				}, "it is there again, and empty")
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := setupOn(t, on, 1)
				fillLane(t, b, t.TempDir())
				lose(b, testkit.Client(t, b.brokers))
				j := b.start()
				testkit.Eventually(t, func() bool {
					return counted(j.metrics.takeovers.WithLabelValues("failed")) > 0 && errors.Is(j.Ready(), ErrOutOfRange)
				}, "it is refused")
				require.Zero(t, counted(j.metrics.takeovers.WithLabelValues("opened")))
			})
		}
	})
}
