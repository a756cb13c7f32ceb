package journal

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// crash crashes an owner at a certain point of a batch, lets a successor of the same name take over, and submits again
// with the same key. At every point the command and the notification are decided exactly once.
type crash struct {
	*testing.T
	*bundle
	link    netfault.Link
	dir     string
	reached chan struct{}
	release chan struct{}
}

func newCrash(t *testing.T, on testkit.KafkaBackend) *crash {
	t.Helper()
	return &crash{
		T: t, bundle: setupOn(t, on, 1), dir: t.TempDir(),
		reached: make(chan struct{}, 100), release: make(chan struct{}),
	}
}

// dieBefore crashes the owner before the broker receives a request.
func (c *crash) dieBefore(key kmsg.Key) {
	c.link.Before(key, func() {
		c.link.Cut()
		c.reached <- struct{}{}
	})
}

func (c *crash) hook(at func(*hooks) *func(int32)) option {
	return func(_ *Config, _ *Deps, j *Journal) {
		armed := true
		*at(&j.hooks) = func(int32) {
			select {
			case <-c.release:
				armed = false
			default:
			}
			if armed {
				c.link.Cut()
				c.reached <- struct{}{}
				<-c.release
			}
		}
	}
}

func (c *crash) run(first *instance, arm func(), stored bool) {
	t := c.T
	if arm != nil {
		arm()
	}
	release := sync.OnceFunc(func() { close(c.release) })
	defer release()
	command := keyed(createCmd("a"), "k1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _, _ = first.Submit(ctx, command) }()
	<-c.reached
	c.append(note("a", "n1", toy{Kind: "note", Text: "x"}))
	dir := copyDir(t, c.dir)

	second := c.start(storeIn(dir), named("one")).ready()
	r := second.mustSubmit(command)
	require.Equal(t, ledgerv1.Outcome_OUTCOME_ACCEPTED, r.Outcome)
	require.EqualValues(t, 1, r.Version)
	require.Equal(t, stored, r.Repeated)
	second.decided(0, 0)
	release()
	cancel()
	first.cancel()
	first.ended = true
	k := c.check()
	require.Len(t, k.events[0], 2)
	require.Equal(t, k.events[0][0].offset, r.Offset)
	require.Equal(t, r, func() Receipt { r := second.mustSubmit(command); r.Repeated = stored; return r }())
	second.stop()
}

func (c *crash) owner(opts ...option) *instance {
	return c.start(append(opts, storeIn(c.dir), named("one"), over(&c.link))...).ready()
}

// A crash before the records are produced stores nothing.
func TestCommitterCrashBeforeProduce(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		c := newCrash(t, on)
		c.run(c.owner(), func() { c.dieBefore(kmsg.Produce) }, false)
	})
}

// A crash between the records and the commit stores nothing.
func TestCommitterCrashBeforeCommit(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		c := newCrash(t, on)
		c.run(c.owner(), func() { c.dieBefore(kmsg.EndTxn) }, false)
	})
}

// A crash between the commit and the store keeps the answer: the next takeover reads it from the lane.
func TestCommitterCrashBeforeStore(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		c := newCrash(t, on)
		c.run(c.owner(c.hook(func(h *hooks) *func(int32) { return &h.onCommitted })), nil, true)
	})
}

// A crash between the store and the reply keeps the answer: a repeat gets it.
func TestCommitterCrashBeforeReply(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		c := newCrash(t, on)
		c.run(c.owner(c.hook(func(h *hooks) *func(int32) { return &h.onStored })), nil, true)
	})
}

// A commit whose reply is lost is looked up, and its call is never answered as failed.
func TestWriterCommitReplyLost(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		var net netfault.LossyDialer
		j := b.start(dialer(&net, kgo.RequestRetries(1))).ready()
		j.mustSubmit(createCmd("a"))

		for _, key := range []string{"", "k"} {
			net.DropReplies(kmsg.EndTxn, -1)
			lost := net.LostReplies(kmsg.EndTxn)
			r := j.mustSubmit(keyed(cmd("a", "note", "once"+key), key))
			require.Greater(t, net.LostReplies(kmsg.EndTxn), lost)
			net.DropReplies(kmsg.EndTxn, 0)
			require.Equal(t, ledgerv1.Outcome_OUTCOME_ACCEPTED, r.Outcome)
			k := b.check()
			last := k.events[0][len(k.events[0])-1]
			require.Equal(t, last.Version, r.Version)
			require.Equal(t, last.offset, r.Offset)
		}
		require.Len(t, b.check().events[0], 3)
	})
}

// The commands of a commit that never arrived are decided again.
func TestWriterCommitRequestLost(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		var net netfault.LossyDialer
		j := b.start(dialer(&net, kgo.RequestRetries(0))).ready()
		j.mustSubmit(createCmd("a"))
		net.DropRequests(kmsg.EndTxn, 1)
		r := j.mustSubmit(cmd("a", "note", "x"))
		require.EqualValues(t, 2, r.Version)
		require.Len(t, b.check().events[0], 2)
	})
}

// A caller whose time ends during a commit learns that the outcome is in doubt.
func TestSubmitTimesOutInCommit(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		var link netfault.Link
		j := b.start(over(&link)).ready()
		j.mustSubmit(createCmd("a"))
		reached, release := make(chan struct{}), make(chan struct{})
		link.Before(kmsg.EndTxn, func() {
			close(reached)
			<-release
		})
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error)
		go func() {
			_, err := j.Submit(ctx, keyed(cmd("a", "note", "x"), "k"))
			errs <- err
		}()
		<-reached
		cancel()
		require.ErrorIs(t, <-errs, ErrInDoubt)
		close(release)
		r := j.mustSubmit(keyed(cmd("a", "note", "x"), "k"))
		require.True(t, r.Repeated)
		require.EqualValues(t, 2, r.Version)
		b.check()
	})
}

// A caller whose time ends in the queue learns that nothing is stored.
func TestSubmitTimesOutInQueue(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		var net netfault.LossyDialer
		net.DropRequests(kmsg.InitProducerID, -1)
		j := b.start(dialer(&net))
		testkit.Eventually(t, func() bool { return j.lanes.serving(0) != nil }, "assigned")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := j.Submit(ctx, createCmd("a"))
		require.ErrorIs(t, err, ErrLaneMoving)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ErrInDoubt)
		require.Error(t, j.Ready())
		require.Empty(t, b.check().events[0])
	})
}

// A command in doubt is not decided twice if the takeover that finds it fails half way.
func TestAnswersInDoubtAcrossTakeovers(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	var net netfault.LossyDialer
	j := b.start(dialer(&net, kgo.RequestRetries(1))).ready()
	j.mustSubmit(createCmd("a"))
	// The commit is stored and its reply lost. The takeover reads the decisions into the store and fails at the events;
	// the next one reads neither again. The command has no key of its caller, so nothing but the found answer shows that
	// it is stored.
	net.DropReplies(kmsg.EndTxn, -1)
	met := b.cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Fetch}, Topic: events.TopicEvents, Err: kerr.UnknownServerError,
		When: func(kmsg.Request) bool {
			net.DropReplies(kmsg.EndTxn, 0)
			return counted(j.metrics.batches.WithLabelValues("unknown")) > 0
		},
	})
	r := j.mustSubmit(cmd("a", "note", "once"))
	require.Positive(t, met.Hits())
	require.EqualValues(t, 2, r.Version)
	k := b.check()
	require.Len(t, k.events[0], 2)
	require.Equal(t, k.events[0][1].offset, r.Offset)
}
