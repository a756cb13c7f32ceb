package emitter

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

func TestStartTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	for text, want := range map[string]int64{
		"": now.UnixMilli(), "now": now.UnixMilli(), "earliest": 0,
		"offsets 0=12, 3=0": 0, "2026-01-02T08:34:05.006+05:30": now.UnixMilli(), "1970-01-01T00:00:00.001Z": 1,
	} {
		got, err := (&Endpoint{Start: text}).startTime(now)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"latest", "Now", "2026-01-02", "2026-01-02T03:04:05", "-1h", "0", "offsets ", "offsets 0", "offsets 0=-1", "offsets 0=1,0=2", "offsets x=1", "1969-12-31T23:59:59Z"} {
		_, err := (&Endpoint{Start: text}).startTime(now)
		require.ErrorIs(t, err, errStart, text)
	}
}

func TestDelivererStart(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		t.Run("a new endpoint gets the suborders from now on, and nothing of older ones", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
			before := time.Now().Add(-time.Millisecond)
			s.publish(t, at(s.record("old", SuborderCreate), before), at(s.record("old2", SuborderCreate), before))
			e := endpoint("efs", r)
			e.Start = StartNow
			reg := prometheus.NewRegistry()
			stop := s.startWith(t, config(e), reg)
			s.waitStarted(t, "efs")
			after := time.Now().Add(time.Millisecond)
			// The translator may be late: "late" is old, but its first message is written only now.
			s.publish(t,
				at(s.record("old", SuborderPropertiesUpdate), before), at(s.record("late", SuborderCreate), before),
				at(s.record("new", SuborderCreate), after),
			)
			r.Wait(t, 1)
			s.waitCommitted(t, "orderledger.emitter.efs")
			require.Equal(t, 4, skipped(t, reg, "efs", "before_start"))
			stop()

			// A successor knows the start from the commit, whatever its configuration says.
			e.Start = StartEarliest
			s.publish(t, at(s.record("old", SuborderCancel), before), at(s.record("new", SuborderCancel), after))
			s.start(t, config(e))
			r.Wait(t, 2)
			s.waitCommitted(t, "orderledger.emitter.efs")
			require.Equal(t, map[string]int{SuborderCreate: 1, SuborderCancel: 1}, r.Types())
			require.Len(t, r.Arrived("new"), 2)
			require.Zero(t, r.Repeats())
			r.RequireNoViolations(t)
		})

		t.Run("a start can be a time", func(t *testing.T) {
			t.Parallel()
			s := setupOn(t, on, 2)
			some, every := testkit.NewReceiver(t, testSecret), testkit.NewReceiver(t, testSecret)
			from := time.Now().Add(-30 * 24 * time.Hour)
			for _, r := range []*kgo.Record{
				at(s.record("a", SuborderCreate), from.Add(-48*time.Hour)), at(s.record("b", SuborderCreate), from.Add(time.Second)),
				at(s.record("a", SuborderCancel), from.Add(-48*time.Hour)), at(s.record("b", SuborderCancel), from.Add(time.Second)),
			} {
				r.Timestamp = time.Now().Add(-29 * 24 * time.Hour)
				s.publish(t, r)
			}
			e := endpoint("some", some)
			e.Start = from.Format(time.RFC3339Nano)
			s.start(t, config(e, endpoint("every", every)))
			some.Wait(t, 2)
			every.Wait(t, 4)
			s.waitCommitted(t, "orderledger.emitter.some")
			require.Equal(t, []int64{2, 4}, some.Arrived("b"))
			require.Empty(t, some.Arrived("a"))
		})

		t.Run("a start can be a position", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
			for range 3 {
				s.publish(t, s.record(s.orderOf(0), SuborderPropertiesUpdate), s.record(s.orderOf(1), SuborderPropertiesUpdate))
			}
			e := endpoint("efs", r)
			e.Start = "offsets 0=1, 1=99"
			d, stop := s.launch(t, config(e), nil)
			testkit.Eventually(t, func() bool { return d.Ready() != nil }, "an offset above the end is refused")
			require.ErrorContains(t, d.Ready(), "partition 1 ends at 3")
			stop()
			require.Empty(t, r.Requests())
			e.Start = "offsets 0=1, 1=3"
			s.start(t, config(e))
			r.Wait(t, 2)
			s.waitCommitted(t, "orderledger.emitter.efs")
			require.Equal(t, []int64{3, 5}, r.Arrived(s.orderOf(0)))
			require.Empty(t, r.Arrived(s.orderOf(1)))
		})

		t.Run("the start is committed before the first fetch, so a crash loses nothing", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 3), testkit.NewReceiver(t, testSecret)
			e := endpoint("efs", r)
			e.Start = StartNow
			var network netfault.LossyDialer
			network.DropRequests(kmsg.Fetch, -1)
			stop := s.start(t, config(e), kgo.Dialer(network.Dial))
			s.waitStarted(t, "efs")
			created := time.Now().Add(time.Millisecond)
			for i := range 6 {
				s.publish(t, at(s.record(orderCode(i), SuborderCreate), created))
			}
			stop()
			require.Zero(t, r.Distinct())
			s.start(t, config(e))
			r.Wait(t, 6)
			require.Zero(t, r.Repeats())
		})

		t.Run("a message written while the start is being found is not skipped", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 1), testkit.NewReceiver(t, testSecret)
			e := endpoint("efs", r)
			e.Start = StartNow
			written := sync.OnceFunc(func() {
				s.publish(t, at(s.record("new", SuborderCreate), time.Now().Add(time.Minute)))
			})
			s.start(t, config(e), kgo.WithHooks(afterReply{kmsg.ListOffsets, written}))
			r.Wait(t, 1)
			require.Equal(t, []int64{1}, r.Arrived("new"))
		})

		t.Run("instances that start together agree on one start", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 4), testkit.NewReceiver(t, testSecret)
			n := s.publishMany(t, 20, 5)
			var stops []func()
			for range 3 {
				stops = append(stops, s.start(t, config(endpoint("efs", r))))
			}
			r.Wait(t, n)
			s.waitCommitted(t, "orderledger.emitter.efs")
			for _, stop := range stops {
				stop()
			}
			require.Zero(t, r.Repeats())
			r.RequireNoViolations(t)
		})

		t.Run("an offset that another tool sets replays everything from there", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 1), testkit.NewReceiver(t, testSecret)
			e := endpoint("efs", r)
			e.Start = StartNow
			s.publish(t, at(s.record("old", SuborderCreate), time.Now().Add(-time.Hour)))
			s.settleStart(t, e)
			var offsets kadm.Offsets
			offsets.AddOffset(events.TopicSuborders, 0, 0, -1)
			testkit.Eventually(t, func() bool {
				return kadm.NewClient(s.client).CommitAllOffsets(t.Context(), "orderledger.emitter.efs", offsets) == nil
			}, "the group has no members any more")
			s.start(t, config(e))
			r.Wait(t, 1)
			require.Equal(t, []int64{1}, r.Arrived("old"))
		})
	})
}

// TestDelivererStartKeepsProgress delays the commit of a start until another instance has delivered and stopped.
func TestDelivererStartKeepsProgress(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
		n := s.publishMany(t, 10, 3)
		c := config(endpoint("efs", r))
		c.Endpoints[0].Timeout, c.SessionTimeout = time.Second, 6*time.Second
		var link netfault.Link
		held := link.DelayAt(netfault.IsKind(kmsg.OffsetCommit))
		s.start(t, c, kgo.Dialer(link.Dial))
		<-held
		stop := s.start(t, c)
		r.Wait(t, n)
		s.waitCommitted(t, "orderledger.emitter.efs")
		stop()
		link.Resume()
		n += s.publishMany(t, 10, 1)
		r.Wait(t, n)
		s.waitCommitted(t, "orderledger.emitter.efs")
		require.Zero(t, r.Repeats(), "the late commit does not move the position back")
		r.RequireNoViolations(t)
	})
}

// TestDelivererStartFollowsPartitionZero gives a partition without a position the start that the others have.
func TestDelivererStartFollowsPartitionZero(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
		start := time.Now().Add(-time.Minute)
		lane := s.orderOf(1)
		s.publish(t,
			at(s.record(lane, SuborderCreate), start.Add(-time.Second)),
			at(s.record(lane, SuborderCreate), start.Add(time.Second)))
		// As after a crash of all instances when only the owner of partition 0 had committed the start.
		var offsets kadm.Offsets
		offsets.Add(kadm.Offset{
			Topic: events.TopicSuborders, Partition: 0, At: 0, LeaderEpoch: -1,
			Metadata: encodeCompleted(&partition{start: start.UnixMilli()}),
		})
		require.NoError(t, kadm.NewClient(s.client).CommitAllOffsets(t.Context(), "orderledger.emitter.efs", offsets))
		e := endpoint("efs", r)
		e.Start = StartNow
		s.start(t, config(e))
		r.Wait(t, 1)
		require.Equal(t, []int64{2}, r.Arrived(lane))
	})

	t.Run("without any position only the owner of partition 0 decides", func(t *testing.T) {
		t.Parallel()
		s := setup(t, 2)
		w := &endpointWorker{group: "orderledger.emitter.efs", endpoint: Endpoint{Name: "efs", Start: StartEarliest}}
		_, err := w.decideStart(t.Context(), kadm.NewClient(s.client), false)
		require.ErrorIs(t, err, errUndecided)
	})
}

func TestDelivererStartRefused(t *testing.T) {
	t.Parallel()

	t.Run("partitions that the broker did not commit are tried again before the first fetch", func(t *testing.T) {
		t.Parallel()
		s, r := setup(t, 3), testkit.NewReceiver(t, testSecret)
		before, drops := time.Now().Add(-time.Hour), 2
		for lane := range int32(3) {
			s.publish(t, at(s.record(s.orderOf(lane), SuborderCreate), before))
		}
		s.cluster.ControlKey(int16(kmsg.OffsetCommit), func(request kmsg.Request) (kmsg.Response, error, bool) {
			s.cluster.KeepControl()
			if drops--; drops >= 0 {
				topic := &request.(*kmsg.OffsetCommitRequest).Topics[0]
				topic.Partitions = slices.DeleteFunc(topic.Partitions, func(p kmsg.OffsetCommitRequestTopicPartition) bool {
					return p.Partition != 0
				})
			}
			return nil, nil, false
		})
		e := endpoint("efs", r)
		e.Start = StartNow
		stop := s.start(t, config(e))
		s.waitStarted(t, "efs")
		stop()
		offsets, err := kadm.NewClient(s.client).FetchOffsets(t.Context(), "orderledger.emitter.efs")
		require.NoError(t, err)
		starts := map[int64]bool{}
		offsets.Each(func(o kadm.OffsetResponse) {
			c, err := decodeCompleted(o.At, o.Metadata)
			require.NoError(t, err)
			starts[c.start] = true
		})
		require.Len(t, starts, 1, "every partition has the same start")
		require.NotContains(t, starts, int64(0))
		require.Empty(t, r.Requests())
	})

	t.Run("an endpoint whose start is refused says so until it is committed", func(t *testing.T) {
		t.Parallel()
		s, r := setup(t, 2), testkit.NewReceiver(t, testSecret)
		var allowed atomic.Bool
		var asked atomic.Int32
		s.cluster.ControlKey(int16(kmsg.OffsetCommit), func(request kmsg.Request) (kmsg.Response, error, bool) {
			s.cluster.KeepControl()
			asked.Add(1)
			response := request.ResponseKind().(*kmsg.OffsetCommitResponse)
			for _, topic := range request.(*kmsg.OffsetCommitRequest).Topics {
				refused := kmsg.NewOffsetCommitResponseTopic()
				refused.Topic, refused.TopicID = topic.Topic, topic.TopicID
				for _, p := range topic.Partitions {
					refused.Partitions = append(refused.Partitions, kmsg.OffsetCommitResponseTopicPartition{
						Partition: p.Partition, ErrorCode: kerr.GroupAuthorizationFailed.Code,
					})
				}
				response.Topics = append(response.Topics, refused)
			}
			return response, nil, !allowed.Load()
		})
		n := s.publishMany(t, 4, 1)
		reg := prometheus.NewRegistry()
		d, _ := s.launch(t, config(endpoint("efs", r)), reg)
		testkit.Eventually(t, func() bool { return asked.Load() >= 3 }, "it asks again and again")
		require.ErrorContains(t, d.Ready(), "endpoint efs: commit the start of orderledger.emitter.efs")
		require.ErrorIs(t, d.Ready(), kerr.GroupAuthorizationFailed)
		require.InDelta(t, 1, gauge(t, reg, "orderledger_emitter_start_pending"), 0)
		require.Empty(t, r.Requests())
		allowed.Store(true)
		r.Wait(t, n)
		require.NoError(t, d.Ready())
		require.Zero(t, gauge(t, reg, "orderledger_emitter_start_pending"))
	})
}

// TestDelivererForgotten makes Kafka forget the positions of an endpoint while a message waits for it.
func TestDelivererForgotten(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		for forgotten, want := range map[string][]int64{ // What arrives of the suborder that was created before.
			ForgottenStart: nil, ForgottenRepeat: {2, 3},
		} {
			t.Run(forgotten, func(t *testing.T) {
				t.Parallel()
				s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
				e := endpoint("efs", r)
				e.Start = StartNow
				s.publish(t, at(s.record("old", SuborderCreate), time.Now().Add(-time.Minute)))
				s.settleStart(t, e)
				created := time.Now().Add(time.Millisecond)
				s.publish(t, at(s.record("a", SuborderCreate), created))
				stop := s.start(t, config(e))
				r.Wait(t, 1)
				s.waitCommitted(t, "orderledger.emitter.efs")
				stop()
				s.publish(t, at(s.record("a", SuborderCancel), created))
				testkit.Eventually(t, func() bool {
					deleted, err := kadm.NewClient(s.client).DeleteGroup(t.Context(), "orderledger.emitter.efs")
					return err == nil && deleted.Err == nil
				}, "the group has no members any more")

				d, stop := s.launch(t, config(e), nil)
				testkit.Eventually(t, func() bool { return errors.Is(d.Ready(), errForgotten) }, "the endpoint waits")
				require.Len(t, r.Requests(), 1)
				stop()
				other := endpoint("other", r)
				other.Start = StartNow
				s.start(t, config(other))
				s.waitStarted(t, "other") // What is recorded of one endpoint says nothing about others.

				fresh := testkit.NewReceiver(t, testSecret)
				e.Forgotten, e.URL = forgotten, fresh.URL()
				s.start(t, config(e))
				s.waitStarted(t, "efs")
				s.publish(t, at(s.record("b", SuborderCreate), time.Now().Add(time.Millisecond)))
				fresh.Wait(t, len(want)+1)
				s.waitCommitted(t, "orderledger.emitter.efs")
				require.Equal(t, want, fresh.Arrived("a"))
				require.Empty(t, fresh.Arrived("old"), "it was created before the first start")
			})
		}
	})
}

// afterReply calls a function when a broker has answered a request of a kind.
type afterReply struct {
	key kmsg.Key
	do  func()
}

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (a afterReply) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, _ kgo.BrokerE2E) {
	if kmsg.Key(key) == a.key {
		a.do()
	}
}

// at adds the time at which the ledger recorded the suborder's creation.
func at(r *kgo.Record, created time.Time) *kgo.Record {
	value := []byte(created.UTC().Format(events.TimeFormat))
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: headerCreated, Value: value})
	return r
}

// TestListStartSkipsNothing publishes a message between the requests that find the start. It comes after the start.
func TestListStartSkipsNothing(t *testing.T) {
	t.Parallel()
	for before := range 3 {
		t.Run(fmt.Sprintf("before request %d", before+1), func(t *testing.T) {
			t.Parallel()
			s := setup(t, 1)
			var link netfault.Link
			client, asked := testkit.Client(t, s.brokers, kgo.Dialer(link.Dial)), 0
			var next func()
			next = func() {
				if asked == before {
					s.publish(t, s.record("a", "SUBORDER_CREATE"))
				}
				asked++
				link.Before(kmsg.ListOffsets, next)
			}
			link.Before(kmsg.ListOffsets, next)
			listed, err := listStart(t.Context(), kadm.NewClient(client), time.Now().UnixMilli())
			require.NoError(t, err)
			require.Greater(t, asked, before)
			start, _ := listed.Lookup(events.TopicSuborders, 0)
			require.Zero(t, start.Offset)
		})
	}
}

// TestDecideStartTakesEarliest has positions with different starts: another tool has set one of them.
func TestDecideStartTakesEarliest(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		other string // The metadata of one partition.
		want  int64
	}{
		"all have one start":           {encodeCompleted(&partition{start: 500}), 500},
		"a position without a start":   {"", 0},
		"a position with an older one": {encodeCompleted(&partition{start: 400}), 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, 20)
			adm, offsets := kadm.NewClient(s.client), kadm.Offsets{}
			for number := range int32(19) {
				text := encodeCompleted(&partition{start: 500})
				if number == 7 {
					text = tc.other
				}
				offsets.Add(kadm.Offset{Topic: events.TopicSuborders, Partition: number, LeaderEpoch: -1, Metadata: text})
			}
			_, err := adm.CommitOffsets(t.Context(), "g", offsets)
			require.NoError(t, err)
			start, err := (&endpointWorker{group: "g"}).decideStart(t.Context(), adm, false)
			require.NoError(t, err)
			require.Equal(t, tc.want, start)
		})
	}
}
