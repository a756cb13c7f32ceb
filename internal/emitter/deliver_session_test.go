package emitter

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/testkit"
)

func TestEndpointWorkerSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, err := newEndpointWorker(
			config().withDefaults(), Endpoint{
				Name: "efs", URL: "http://127.0.0.1:1", Timeout: 5 * time.Second,
				RetrySchedule: []time.Duration{20 * time.Second}, // As long as the session of 20 seconds.
			},
			"efs", nil, must(newDeliverMetrics(nil, nil)), nil, testkit.Logger(t),
		)
		require.NoError(t, err)
		renew := func() {
			w.session.renew(time.Now())
			synctest.Wait()
		}
		attempts := func() (n int) {
			w.do(func() {
				for d := w.partitions[0].pending.oldest; d != nil; d = d.newer {
					n += d.attempts
				}
			})
			return n
		}
		go w.loop()
		defer func() {
			close(w.quit)
			<-w.stopped
			w.commits.running.Wait()
			w.senders.close()
		}()
		renew()
		// The clock of the bubble. The session then has exactly one timeout left.
		time.Sleep(w.session.timeout - w.endpoint.Timeout) //nolint:forbidigo // As above.
		w.do(func() {
			p := newPartition(t.Context(), 0, 0, completedOffsets{})
			w.partitions[0] = p
			pushed(w.scheduler, p, 1, "a")
			w.commits.due = time.Time{}
		})
		synctest.Wait()
		require.Zero(t, attempts())
		renew()
		require.Equal(t, 1, attempts(), "a renewal wakes the loop")
		time.Sleep(time.Hour) //nolint:forbidigo // The bubble's clock.
		require.Equal(t, 1, attempts(), "the retry waits for a renewal")
		renew()
		require.Equal(t, 2, attempts())
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The broker restarts a session when a heartbeat arrives, which may be long before its response does.
func TestSessionBeginsBeforeHeartbeat(t *testing.T) {
	t.Parallel()
	s := newSession(10 * time.Second)
	slow := kgo.BrokerE2E{TimeToWrite: time.Second, ReadWait: 4 * time.Second, TimeToRead: time.Second}
	before := time.Now()
	s.OnBrokerE2E(kgo.BrokerMetadata{}, int16(kmsg.Heartbeat), slow)
	require.True(t, s.outlasts(before.Add(3*time.Second)))
	require.False(t, s.outlasts(time.Now().Add(5*time.Second)), "the session began before the request")
	s.OnBrokerE2E(kgo.BrokerMetadata{}, int16(kmsg.SyncGroup), slow)
	require.True(t, s.outlasts(time.Now().Add(9*time.Second)), "joining ends with the response")
	s = newSession(10 * time.Second)
	slow.ReadErr = context.DeadlineExceeded
	s.OnBrokerE2E(kgo.BrokerMetadata{}, int16(kmsg.Heartbeat), slow)
	require.False(t, s.outlasts(before), "a lost response renews nothing")
}
