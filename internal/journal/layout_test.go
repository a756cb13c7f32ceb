package journal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

func layoutOf(id string) option {
	layout := events.Layout{LedgerID: id, Cluster: "orderledger", Format: events.LayoutFormat, Lanes: 1}
	return func(cfg *Config, _ *Deps, _ *Journal) { cfg.Layout = layout.Hash() }
}

// The chain of a lane begins with the layout, so an instance with another layout can't open it, with a store or
// without.
func TestTakeoverOfOtherLayout(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		j := b.start(layoutOf("one"), storeIn(dir)).ready()
		j.mustSubmit(createCmd("a"))
		j.stop()
		for _, store := range []string{t.TempDir(), dir} {
			other := b.start(layoutOf("two"), storeIn(store))
			testkit.Eventually(t, func() bool { return counted(other.metrics.takeovers.WithLabelValues("failed")) > 0 }, "it is refused")
			require.ErrorIs(t, other.Ready(), ErrDamaged)
			other.stop()
		}
		j = b.start(layoutOf("one"), storeIn(dir)).ready()
		s, err := j.State(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, "a", s.GetShipmentId())
	})
}

// A takeover begins with the layout: while another is recorded, nothing is fenced. It may be replaced at any time, so
// an owner that lost its lane looks at it again.
func TestTakeoverChecksLayout(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	var fences atomic.Int32
	b.cluster.ControlKey(int16(kmsg.InitProducerID), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		fences.Add(1)
		return nil, nil, false
	})
	var good atomic.Bool
	j := b.start(func(_ *Config, deps *Deps, _ *Journal) {
		deps.CheckLayout = func(context.Context) error {
			if good.Load() {
				return nil
			}
			return fmt.Errorf("%w: of another ledger", kafka.ErrLayout)
		}
	})
	testkit.Eventually(t, func() bool { return errors.Is(j.Ready(), kafka.ErrLayout) }, "it is refused")
	require.Zero(t, fences.Load(), "nothing is fenced")
	good.Store(true)
	j.ready()
	j.mustSubmit(createCmd("a"))

	good.Store(false)
	before := fences.Load()
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: events.TopicEvents, Err: kerr.InvalidTimestamp})
	call := make(chan error, 1)
	go func() {
		_, err := j.Submit(t.Context(), createCmd("b"))
		call <- err
	}()
	testkit.Eventually(t, func() bool { return errors.Is(j.Ready(), kafka.ErrLayout) }, "the running instance is refused too")
	require.Equal(t, before, fences.Load(), "nothing is fenced")
	good.Store(true)
	require.NoError(t, <-call)
	require.Len(t, b.check().events[0], 2)
}
