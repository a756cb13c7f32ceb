package emitter

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// onEach runs a test on each available Kafka, with a ledger to translate and a stage to deliver from.
func onEach(t *testing.T, lanes int, test func(t *testing.T, l *ledger, s *stage)) {
	t.Helper()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		l := newLedgerOn(t, on, lanes)
		test(t, l, &stage{brokers: l.brokers, lanes: lanes, client: l.writer})
	})
}

// overLink runs a translator whose connections go over a link. Its Run may return an error, because its successor
// fences it.
func (l *ledger) overLink(t testing.TB, config TranslateConfig, link *netfault.Link) *Translator {
	t.Helper()
	tr, err := NewTranslator(config, testkit.KafkaConfig(l.brokers, l.lanes), verbose(t), nil, kgo.Dialer(link.Dial))
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- tr.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		link.Cut()
		tr.Close()
		<-ran
	})
	return tr
}

// versions commits the given versions of each shipment, one transaction per version, and returns the number of their
// messages.
func (l *ledger) versions(t testing.TB, shipments int, from, to uint64) int {
	t.Helper()
	n := 0
	for v := from; v <= to; v++ {
		var batch []*kgo.Record
		for i := range shipments {
			id := fmt.Sprint("shipment-", i)
			if v == 1 {
				batch = append(batch, l.created(t, id))
			} else {
				batch = append(batch, l.changed(t, id, v))
			}
		}
		l.commit(t, batch...)
		n += len(batch)
	}
	return n
}

// waitCommittedEnd is waitCommitted for a topic that may still grow.
func (s *stage) waitCommittedEnd(t testing.TB, group string) {
	t.Helper()
	adm := kadm.NewClient(s.client)
	testkit.Eventually(t, func() bool {
		at := s.committed(t, group)
		ends, err := adm.ListEndOffsets(t.Context(), events.TopicSuborders)
		require.NoError(t, err)
		want := int64(0)
		ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
		return at == want
	}, "committed to the end")
}

// backward counts the records of suborders.v1 that follow a record with a higher id in their partition.
func (l *ledger) backward(t testing.TB) (n int) {
	t.Helper()
	for _, records := range l.read(t, events.TopicSuborders) {
		highest := int64(0)
		for _, r := range records {
			m, err := readMessage(r)
			require.NoError(t, err)
			if m.id < highest {
				n++
			}
			highest = max(highest, m.id)
		}
	}
	return n
}

func TestTranslatorWakesAfterSuccessor(t *testing.T) {
	t.Parallel()
	onEach(t, 2, func(t *testing.T, l *ledger, s *stage) {
		t.Helper()
		r := testkit.NewReceiver(t, testSecret)
		s.start(t, config(endpoint("efs", r)))
		named := DefaultTranslateConfig()
		named.InstanceID = "one"

		n := l.versions(t, 20, 1, 2)
		var link netfault.Link
		l.overLink(t, named, &link)
		l.waitDone(t)
		// The translator is suspended after it has read events and before it has published their messages.
		held := link.PauseAt(netfault.IsKind(kmsg.Produce))
		n += l.versions(t, 20, 3, 5)
		<-held

		// The successor has the same instance id, so it gets the lanes at once. It repeats what was not committed.
		var open netfault.Link
		l.overLink(t, named, &open)
		n += l.versions(t, 20, 6, 8)
		l.waitDone(t)
		r.Wait(t, n)
		require.Zero(t, l.backward(t))

		link.Resume()
		testkit.Eventually(t, func() bool { return l.backward(t) > 0 }, "the suspended translator publishes its messages")
		n += l.versions(t, 20, 9, 10)
		l.waitDone(t)
		r.Wait(t, n)
		s.waitCommittedEnd(t, "orderledger.emitter.efs")
		l.delivered(t, s, r, n)
	})
}

func TestTranslatorPublishesLate(t *testing.T) {
	t.Parallel()
	onEach(t, 2, func(t *testing.T, l *ledger, s *stage) {
		t.Helper()
		r := testkit.NewReceiver(t, testSecret)
		s.start(t, config(endpoint("efs", r)))
		quick := DefaultTranslateConfig()
		quick.DrainTimeout = 200 * time.Millisecond

		n := l.versions(t, 20, 1, 2)
		var link, open netfault.Link
		l.overLink(t, quick, &link)
		l.waitDone(t)
		// The network delays one write. The translator keeps running, releases a lane to another one that joins, and stops
		// waiting for the write when the drain timeout is over.
		held := link.DelayAt(netfault.IsKind(kmsg.Produce))
		n += l.versions(t, 20, 3, 5)
		<-held
		other := l.overLink(t, quick, &open)
		testkit.Eventually(t, func() bool { return r.Distinct() > n-20*3 }, "the other translator has a lane")
		link.Resume()
		n += l.versions(t, 20, 6, 8)
		l.waitDone(t)
		r.Wait(t, n)
		other.Close()
		n += l.versions(t, 20, 9, 10)
		l.waitDone(t)
		r.Wait(t, n)
		s.waitCommittedEnd(t, "orderledger.emitter.efs")
		t.Log(l.backward(t), "records after one with a higher id")
		l.delivered(t, s, r, n)
	})
}

// delivered checks that the receiver got each of n messages once and in order, although the topic has repeats, and that
// an endpoint that reads the topic from the start gets the same.
func (l *ledger) delivered(t testing.TB, s *stage, r *testkit.Receiver, n int) {
	t.Helper()
	l.requireNumbers(t, n)
	require.Equal(t, n, r.Distinct())
	require.Zero(t, r.Repeats(), "the deliverer skips ids that are not above the highest")
	r.RequireNoViolations(t)
	fresh := testkit.NewReceiver(t, testSecret)
	s.start(t, config(endpoint("fresh", fresh)))
	fresh.Wait(t, n)
	s.waitCommittedEnd(t, "orderledger.emitter.fresh")
	require.Equal(t, n, fresh.Distinct())
	require.Zero(t, fresh.Repeats())
	fresh.RequireNoViolations(t)
}
