package journal

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// committedInbox returns the position in the inbox group, -1 for none.
func (b *bundle) committedInbox(lane int32) int64 {
	b.Helper()
	offsets, err := kadm.NewClient(testkit.Client(b, b.brokers)).FetchOffsets(b.Context(), kafka.GroupInbox("orderledger"))
	if err != nil {
		return -1 // The group may not exist yet.
	}
	if o, ok := offsets.Lookup(events.TopicInbox, lane); ok {
		return o.At
	}
	return -1
}

// Inbox positions are committed to the inbox group.
func TestMaintenanceCommitsInboxPosition(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 2)
		j := b.start(config(func(c *Config) { c.InboxCommitEvery = time.Hour })).ready()
		testkit.Eventually(t, func() bool { return b.committedInbox(0) == 0 && b.committedInbox(1) == 0 }, "also of lanes that are empty")
		lane := events.Lane("a", 2)
		last := b.append(note("a", "c", toy{Kind: "create"}), note("a", "n", toy{Kind: "note"}))
		testkit.Eventually(t, func() bool { return b.committedInbox(lane) == last+1 }, "positions that rest are committed at once")
		require.EqualValues(t, 0, b.committedInbox(1-lane))
		j.stop()
	})
}

// A takeover reads the inbox from exactly behind the last decided record.
func TestInboxResumesAfterLastDecided(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		var last int64
		for round := range 4 {
			for i := range 25 {
				last = b.append(note("a", fmt.Sprint(round, "-", i), toy{Kind: "create"}))
			}
			// Each owner begins without a store, and is stopped in the middle.
			j := b.start(config(func(c *Config) { c.MaxBatch = 2 })).ready()
			testkit.Eventually(t, func() bool { return j.lanes.positions()[0] > last-10 }, "most is decided")
			j.stop()
		}
		j := b.start().ready()
		j.decided(0, last)
		k := b.check()
		for i, d := range k.decisions[0] {
			require.EqualValues(t, i, d.GetInboxOffset())
		}
	})
}

// The inbox is trimmed below the position only.
func TestMaintenanceTrimsInbox(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		j := b.start(storeIn(dir), config(func(c *Config) { c.InboxKeep, c.InboxTrimEvery = 2, 10*time.Millisecond })).ready()
		var last int64
		for i := range 10 {
			last = b.append(note("w", fmt.Sprint(i), toy{Kind: "note"}))
		}
		j.decided(0, last)
		testkit.Eventually(t, func() bool {
			spans, err := j.topics.spans(t.Context(), 0)
			return err == nil && spans[events.TopicInbox].start == last+1-2
		}, "trimmed")
		j.stop()
		// The decision holds the input that waits.
		j = b.start().ready()
		require.EqualValues(t, 11, j.mustSubmit(createCmd("w")).Version+10)
		s, err := j.State(t.Context(), "w")
		require.NoError(t, err)
		require.EqualValues(t, 11, s.GetVersion())
	})
}
