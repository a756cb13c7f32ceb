package emitter

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestDeliverer(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		t.Run("every message arrives once, in order, signed and unchanged", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 4), testkit.NewReceiver(t, testSecret)
			n := s.publishMany(t, 40, 6)
			stop := s.start(t, config(endpoint("efs", r)))
			r.Wait(t, n)
			s.waitCommitted(t, "orderledger.emitter.efs")
			stop()
			r.RequireNoViolations(t)
			require.Zero(t, r.Repeats())
			require.Zero(t, r.Overlaps())
			require.Len(t, r.Requests(), n)
			require.Equal(t, http.Header{
				"Content-Type": {"application/json"}, "User-Agent": {"orderledger-emitter"},
			}, subset(r.Requests()[0].Header, "Content-Type", "User-Agent"))
		})

		t.Run("an endpoint without a secret gets id and timestamp but no signature", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 1), testkit.NewReceiver(t, "")
			e := endpoint("efs", r)
			e.Secrets, e.Headers = nil, map[string]string{"authorization": "Bearer x"}
			s.publishMany(t, 1, 1)
			s.start(t, config(e))
			r.Wait(t, 1)
			header := r.Requests()[0].Header
			require.NotEmpty(t, header.Get("Webhook-Timestamp"))
			require.Empty(t, header.Get("Webhook-Signature"))
			require.Equal(t, "Bearer x", header.Get("Authorization"))
			r.RequireNoViolations(t)
		})

		t.Run("a failing suborder keeps its order and does not hold up the others", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 1), testkit.NewReceiver(t, testSecret)
			e := endpoint("efs", r)
			e.MaxInFlight = 2 // Fewer slots than failing suborders: if a waiting queue held one, nothing would be sent.
			for i := range 3 {
				r.Fail(orderCode(i), testkit.Failure{Status: 503, Times: -1})
			}
			n := s.publishMany(t, 20, 5)
			s.start(t, config(e))
			r.Wait(t, n-3*5)
			for i := range 3 {
				require.Len(t, r.Arrived(orderCode(i)), 1, "only the head is sent")
				r.ClearFailures(orderCode(i))
			}
			r.Wait(t, n)
			s.waitCommitted(t, "orderledger.emitter.efs")
			r.RequireNoViolations(t)
			require.Zero(t, r.Overlaps())
		})

		t.Run("every kind of failure is retried until it succeeds", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
			r.Fail(orderCode(0), testkit.Failure{Status: 500}, testkit.Failure{Status: 0}, testkit.Failure{Status: 408})
			r.Fail(orderCode(1),
				testkit.Failure{Status: 410}, testkit.Failure{Status: 400, Times: 2}, testkit.Failure{Status: 401})
			for _, redirect := range []int{300, 301, 302, 303, 304, 307, 308} {
				r.Fail(orderCode(2), testkit.Failure{Status: redirect, Header: http.Header{"Location": {r.URL()}}})
			}
			n := s.publishMany(t, 3, 3)
			s.start(t, config(endpoint("efs", r)))
			r.Wait(t, n)
			s.waitCommitted(t, "orderledger.emitter.efs")
			r.RequireNoViolations(t)
			require.Equal(t, 3+4+7, r.Repeats())
		})

		t.Run("a 2xx whose body reports an error is retried, unless the endpoint ignores bodies", func(t *testing.T) {
			t.Parallel()
			s := setupOn(t, on, 1)
			strict, lenient := testkit.NewReceiver(t, testSecret), testkit.NewReceiver(t, testSecret)
			refused := testkit.Failure{Status: 200, Body: `{"hasError":true,"errorMessage":"no stock"}`}
			strict.Fail("a", refused, refused)
			lenient.Fail("a", refused)
			ignoring := endpoint("lenient", lenient)
			ignoring.BodyRule = BodyIgnored
			s.publish(t, s.record("a", SuborderCreate), s.record("a", SuborderCancel))
			s.start(t, config(endpoint("strict", strict), ignoring))
			strict.Wait(t, 2)
			s.waitCommitted(t, "orderledger.emitter.strict")
			s.waitCommitted(t, "orderledger.emitter.lenient")
			require.Equal(t, 2, strict.Repeats())
			strict.RequireNoViolations(t)
			require.Zero(t, lenient.Repeats())
		})

		t.Run("an endpoint gets the enabled types and the COMPLETE of its stage", func(t *testing.T) {
			t.Parallel()
			s := setupOn(t, on, 2)
			shipped, done := testkit.NewReceiver(t, testSecret), testkit.NewReceiver(t, testSecret)
			late := endpoint("late", done)
			late.CompleteStage, late.EventTypes = StageCompleted, map[string]bool{"SUBORDER_CREATE": false, "SUBORDER_CANCEL": true}
			s.publish(
				t,
				s.record("a", "SUBORDER_CREATE"),
				s.record("a", "SUBORDER_COMPLETE", "shipped"),
				s.record("a", "SUBORDER_COMPLETE", "delivered", "completed"),
				s.record("b", "SUBORDER_COMPLETE", "shipped", "delivered", "completed"),
				s.record("c", "SUBORDER_CANCEL"),
			)
			s.start(t, config(endpoint("early", shipped), late))
			shipped.Wait(t, 4)
			done.Wait(t, 3)
			s.waitCommitted(t, "orderledger.emitter.early")
			s.waitCommitted(t, "orderledger.emitter.late")
			require.Equal(t, map[string]int{"SUBORDER_CREATE": 1, "SUBORDER_COMPLETE": 2, "SUBORDER_CANCEL": 1}, shipped.Types())
			require.Equal(t, map[string]int{"SUBORDER_COMPLETE": 2, "SUBORDER_CANCEL": 1}, done.Types())
			require.Equal(t, []int64{1, 2}, shipped.Arrived("a"))
			require.Equal(t, []int64{3}, done.Arrived("a"))
		})

		t.Run("a COMPLETE of another stage arrives as another type", func(t *testing.T) {
			t.Parallel()
			s := setupOn(t, on, 1)
			early, late := testkit.NewReceiver(t, testSecret), testkit.NewReceiver(t, testSecret)
			muted := testkit.NewReceiver(t, testSecret)
			waiting, off := endpoint("late", late), endpoint("muted", muted)
			waiting.CompleteStage = StageDelivered
			off.EventTypes = map[string]bool{SuborderComplete: false, SuborderPartialCancel: false}
			both := s.record("a", SuborderComplete, StageShipped)
			both.Value = []byte(`{"messageId":1,"eventType":"SUBORDER_COMPLETE","orderCode":"a","attributes":{"eventType":"SUBORDER_COMPLETE"}}`)
			both.Headers = append(both.Headers, kgo.RecordHeader{Key: headerOtherwise, Value: []byte(SuborderPartialCancel)})
			s.publish(t, both, s.record("a", SuborderCancel))
			s.start(t, config(endpoint("early", early), waiting, off))
			early.Wait(t, 2)
			late.Wait(t, 2)
			muted.Wait(t, 1)
			require.Equal(t, map[string]int{SuborderComplete: 1, SuborderCancel: 1}, early.Types())
			require.Equal(t, map[string]int{SuborderPartialCancel: 1, SuborderCancel: 1}, late.Types())
			require.Equal(t, map[string]int{SuborderCancel: 1}, muted.Types())
			want := strings.Replace(string(both.Value), SuborderComplete, SuborderPartialCancel, 1)
			require.Equal(t, want, string(late.Requests()[0].Body))
		})

		t.Run("an endpoint that hangs does not hold up another", func(t *testing.T) {
			t.Parallel()
			s := setupOn(t, on, 2)
			dead, alive := testkit.NewReceiver(t, testSecret), testkit.NewReceiver(t, testSecret)
			hold := make(chan struct{})
			dead.Fail("", testkit.Failure{Status: 200, Hold: hold, Times: -1})
			c := config(endpoint("dead", dead), endpoint("alive", alive))
			c.MaxPending = 50
			n := s.publishMany(t, 100, 3)
			s.start(t, c)
			alive.Wait(t, n)
			s.waitCommitted(t, "orderledger.emitter.alive")
			require.Zero(t, dead.Distinct())
			close(hold)
			dead.Wait(t, n)
			s.waitCommitted(t, "orderledger.emitter.dead")
			dead.RequireNoViolations(t)
			alive.RequireNoViolations(t)
		})

		t.Run("memory stays bounded while an endpoint fails, and nothing is lost", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
			r.Fail("", testkit.Failure{Status: 503, Times: -1})
			c := config(endpoint("efs", r))
			c.MaxPending = 100
			n := s.publishMany(t, 1000, 5)
			reg := prometheus.NewRegistry()
			s.startWith(t, c, reg)
			testkit.Eventually(t, func() bool { return gauge(t, reg, "orderledger_emitter_pending") >= 200 }, "both partitions are full")
			require.LessOrEqual(t, gauge(t, reg, "orderledger_emitter_pending"), 2*(100+float64(pollRecords)))
			r.ClearFailures("")
			r.Wait(t, n)
			s.waitCommitted(t, "orderledger.emitter.efs")
			r.RequireNoViolations(t)
			require.Zero(t, gauge(t, reg, "orderledger_emitter_pending"))
		})

		t.Run("repeats of a translator are not sent again", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 1), testkit.NewReceiver(t, testSecret)
			first := []*kgo.Record{s.record("a", "SUBORDER_CREATE"), s.record("b", "SUBORDER_CREATE"), s.record("a", "SUBORDER_CANCEL")}
			s.publish(t, first...)
			stop := s.start(t, config(endpoint("efs", r)))
			r.Wait(t, 3)
			s.waitCommitted(t, "orderledger.emitter.efs")
			stop()
			// The successor knows the highest id only from the commit.
			s.publish(t, s.recordWithID(2, "b", "SUBORDER_CREATE"), s.recordWithID(3, "a", "SUBORDER_CANCEL"), s.record("c", "SUBORDER_CREATE"))
			s.start(t, config(endpoint("efs", r)))
			r.Wait(t, 4)
			s.waitCommitted(t, "orderledger.emitter.efs")
			require.Zero(t, r.Repeats())
			r.RequireNoViolations(t)
		})

		t.Run("a record that is not a message is counted and skipped", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 1), testkit.NewReceiver(t, testSecret)
			broken := s.record("a", "SUBORDER_CREATE")
			broken.Headers = broken.Headers[1:]
			s.publish(t, broken, s.record("a", "SUBORDER_CANCEL"))
			reg := prometheus.NewRegistry()
			s.startWith(t, config(endpoint("efs", r)), reg)
			r.Wait(t, 1)
			s.waitCommitted(t, "orderledger.emitter.efs")
			require.InDelta(t, 1, gauge(t, reg, "orderledger_emitter_skipped_total"), 0)
		})

		t.Run("the position passes the marker of a transaction at the end", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 1), testkit.NewReceiver(t, testSecret)
			writer := testkit.Client(t, s.brokers, kgo.TransactionalID("translator"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			for _, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
				require.NoError(t, writer.BeginTransaction())
				require.NoError(t, writer.ProduceSync(t.Context(), s.record("a", "SUBORDER_CREATE")).FirstErr())
				require.NoError(t, writer.EndTransaction(t.Context(), commit))
			}
			testkit.Settled(t, writer, events.TopicSuborders)
			s.start(t, config(endpoint("efs", r)))
			s.waitCommitted(t, "orderledger.emitter.efs")
			require.Equal(t, []int64{1}, r.Arrived("a"))
			r.RequireNoViolations(t)
		})
	})
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
		r.Fail("a", testkit.Failure{Status: 503}, testkit.Failure{Status: 404})
		message := s.record("a", "SUBORDER_CREATE")
		message.Headers = append(message.Headers, kafka.Headers("ol_seq", "57", "ol_profile", "752255250", "ol_seller", "s1")...)
		s.publish(t, message)
		s.start(t, config(endpoint("efs", r)))
		reader := testkit.Client(t, s.brokers,
			kgo.ConsumeTopics(events.TopicDeliveries), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
		var got []outcome
		for len(got) < 3 {
			fetches := reader.PollFetches(t.Context())
			require.NoError(t, fetches.Err())
			fetches.EachRecord(func(record *kgo.Record) {
				var o outcome
				require.NoError(t, json.Unmarshal(record.Value, &o))
				require.Equal(t, "a", string(record.Key))
				require.Equal(t, events.Lane("a", 2), record.Partition)
				_, err := time.Parse(time.RFC3339Nano, o.At)
				require.NoError(t, err)
				require.Equal(t, map[string]string{
					"ce_id": "1/efs/" + o.At, "ce_type": "suborders.DeliveryOutcome.v1", "ce_source": "/orderledger", "ce_specversion": "1.0",
					"ce_subject": "a", "ce_time": o.At, "content-type": "application/json", "ce_causationid": "1",
					"ol_endpoint": "efs", "ol_outcome": o.Outcome, "ol_profile": "752255250", "ol_seq": "57", "ol_seller": "s1",
				}, headers(record))
				o.At, o.DurationMs = "", 0
				got = append(got, o)
			})
		}
		require.Equal(t, []outcome{
			{MessageID: 1, Endpoint: "efs", Attempt: 1, Outcome: "retry", Status: 503},
			{MessageID: 1, Endpoint: "efs", Attempt: 2, Outcome: "retry_slow", Status: 404},
			{MessageID: 1, Endpoint: "efs", Attempt: 3, Outcome: "ok", Status: 200},
		}, got)
		require.Equal(t, http.Header{
			"Ol-Lane": {fmt.Sprint(events.Lane("a", 2))}, "Ol-Seq": {"57"}, "Ol-Profile": {"752255250"},
		}, subset(r.Requests()[0].Header, "Ol-Lane", "Ol-Seq", "Ol-Profile"), "so the receiver sees when one is missing")
	})
}

func TestOutcomesLost(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
		_, err := kadm.NewClient(s.client).DeleteTopic(t.Context(), events.TopicDeliveries)
		require.NoError(t, err)
		n := s.publishMany(t, 10, 2)
		reg := prometheus.NewRegistry()
		stop := s.startWith(t, config(endpoint("efs", r)), reg, kgo.UnknownTopicRetries(0))
		r.Wait(t, n)
		s.waitCommitted(t, "orderledger.emitter.efs")
		stop()
		require.InDelta(t, n, gauge(t, reg, "orderledger_emitter_outcomes_lost_total"), 0)
	})
}

func TestDelivererMetrics(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		s, r := setupOn(t, on, 1), testkit.NewReceiver(t, testSecret)
		r.Fail("b", testkit.Failure{Status: 503, Times: -1})
		s.publish(t, s.record("a", "SUBORDER_CREATE"), s.record("b", "SUBORDER_CREATE"), s.record("a", "SUBORDER_CANCEL"))
		reg := prometheus.NewRegistry()
		e := endpoint("efs", r)
		e.RetrySchedule = []time.Duration{time.Hour}
		s.startWith(t, config(e), reg)
		r.Wait(t, 2)
		testkit.Eventually(t, func() bool { return gauge(t, reg, "orderledger_emitter_queues_waiting") == 1 }, "b waits")
		testkit.Eventually(t, func() bool { return gauge(t, reg, "orderledger_emitter_deliveries_total") == 2 }, "a is delivered")
		testkit.Eventually(t, func() bool { return gauge(t, reg, "orderledger_emitter_pending") == 1 }, "b is pending")
		require.InDelta(t, 3, gauge(t, reg, "orderledger_emitter_attempts_total"), 0)
		require.InDelta(t, 2, gauge(t, reg, "orderledger_emitter_lag_records"), 0)
		require.Zero(t, gauge(t, reg, "orderledger_emitter_in_flight"))
		require.Zero(t, gauge(t, reg, "orderledger_emitter_queues_ready"))
		require.Positive(t, gauge(t, reg, "orderledger_emitter_oldest_waiting_seconds"))
		testkit.Eventually(t, func() bool { return gauge(t, reg, "orderledger_emitter_commits_total") > 0 }, "committed")
	})
}

func TestDelivererLifecycle(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		t.Run("close works twice and without run, and run after close fails", func(t *testing.T) {
			t.Parallel()
			d, err := NewDeliverer(config(), testkit.KafkaConfig([]string{"127.0.0.1:1"}, 1), nil, nil)
			require.NoError(t, err)
			d.Close()
			d.Close()
			require.ErrorIs(t, d.Run(t.Context()), errClosed)
		})

		t.Run("stop waits for requests in flight and commits them", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 1), testkit.NewReceiver(t, testSecret)
			hold := make(chan struct{})
			r.Fail("a", testkit.Failure{Status: 200, Hold: hold})
			s.publish(t, s.record("a", "SUBORDER_CREATE"), s.record("a", "SUBORDER_CANCEL"))
			d, stop := s.launch(t, config(endpoint("efs", r)), nil)
			r.WaitArrived(t, "a", 1)
			stopped := make(chan struct{})
			go func() { d.Close(); close(stopped) }()
			waitDraining(t, d)
			require.Empty(t, stopped, "close does not return while a request is in flight")
			close(hold)
			<-stopped
			stop()
			require.Equal(t, int64(1), s.committed(t, "orderledger.emitter.efs"))
			require.Equal(t, []int64{1}, r.Arrived("a"))
			s.start(t, config(endpoint("efs", r)))
			r.Wait(t, 2)
			require.Zero(t, r.Repeats())
			r.RequireNoViolations(t)
		})
	})
}

func TestDelivererStopTimeout(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		s, r := setupOn(t, on, 1), testkit.NewReceiver(t, testSecret)
		r.Fail("stuck", testkit.Failure{Status: 200, Hold: make(chan struct{})})
		s.publish(t, s.record("stuck", SuborderCreate), s.record("b", SuborderCreate))
		c := config(endpoint("efs", r))
		c.Endpoints[0].Timeout = 4 * time.Minute
		c.StopTimeout = 10 * time.Millisecond
		d, stop := s.launch(t, c, nil)
		r.Wait(t, 1)
		r.WaitArrived(t, "stuck", 1)
		stopped := make(chan struct{})
		go func() { defer close(stopped); d.Close() }()
		testkit.Eventually(t, func() bool {
			select {
			case <-stopped:
				return true
			default:
				return false
			}
		}, "the stop does not wait for the timeout of the request")
		stop()
		require.Zero(t, s.committed(t, "orderledger.emitter.efs"))
		s.start(t, config(endpoint("efs", r)))
		s.waitCommitted(t, "orderledger.emitter.efs")
		require.Equal(t, 1, r.Repeats(), "only the cancelled request is repeated")
	})
}

func TestDelivererStopWhileJoining(t *testing.T) {
	t.Parallel()
	s, r := setup(t, 1), testkit.NewReceiver(t, testSecret)
	joining := make(chan struct{}, 1)
	s.cluster.ControlKey(int16(kmsg.JoinGroup), func(request kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		select {
		case joining <- struct{}{}:
		default:
		}
		answer := request.ResponseKind().(*kmsg.JoinGroupResponse)
		answer.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return answer, nil, true
	})
	stop := s.start(t, config(endpoint("efs", r)))
	<-joining
	stop()
}

func subset(h http.Header, names ...string) http.Header {
	h = maps.Clone(h)
	maps.DeleteFunc(h, func(name string, _ []string) bool { return !slices.Contains(names, name) })
	return h
}

// gauge returns the sum of a metric over its labels.
func gauge(t testing.TB, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return sum
}
