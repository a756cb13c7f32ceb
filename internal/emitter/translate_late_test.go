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

// onEach runs a test with each kind of Kafka that is there: with a ledger to translate, and a stage to deliver from.
func onEach(t *testing.T, lanes int, test func(t *testing.T, l *ledger, s *stage)) {
	t.Helper()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		l := newLedgerOn(t, on, lanes)
		test(t, l, &stage{brokers: l.brokers, lanes: lanes, client: l.writer})
	})
}

// overLink runs a translator over a link. It may end with an error: it will hear that another has its place.
func (l *ledger) overLink(t testing.TB, config TranslateConfig, link *netfault.Link) *Translator {
	t.Helper()
	tr, err := NewTranslator(config, testkit.KafkaConfig(l.brokers, l.lanes), verbose(t), nil, kgo.Dialer(link.Dial))
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- tr.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		link.Cut()
		_ = tr.Close()
		<-ran
	})
	return tr
}

// lives writes so many versions of so many shipments, a transaction a version, and returns how many messages they give.
func (l *ledger) lives(t testing.TB, shipments int, from, to uint64) int {
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

// told is waitCommitted while more may still be published.
func (s *stage) told(t testing.TB, group string) {
	t.Helper()
	adm := kadm.NewClient(s.client)
	testkit.Eventually(t, func() bool {
		at := s.committed(t, group)
		ends, err := adm.ListEndOffsets(t.Context(), events.TopicSuborders)
		require.NoError(t, err)
		want := int64(0)
		ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
		return at == want
	}, "told to the end")
}

// backward counts the records of suborders.v1 that stand behind one with a higher id in their partition.
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

func TestATranslatorThatWakesBehindItsSuccessorDisturbsNobody(t *testing.T) {
	t.Parallel()
	onEach(t, 2, func(t *testing.T, l *ledger, s *stage) {
		t.Helper()
		r := testkit.NewReceiver(t, testSecret)
		s.start(t, config(endpoint("efs", r)))
		named := DefaultTranslateConfig()
		named.InstanceID = "one"

		n := l.lives(t, 20, 1, 2)
		var link netfault.Link
		l.overLink(t, named, &link)
		l.waitDone(t)
		// It sleeps with events in hand that are read and not published.
		held := link.PauseAt(netfault.IsKind(kmsg.Produce))
		n += l.lives(t, 20, 3, 5)
		<-held

		// Its successor of the same name has the lanes at once, repeats what was not committed and goes on.
		var open netfault.Link
		l.overLink(t, named, &open)
		n += l.lives(t, 20, 6, 8)
		l.waitDone(t)
		r.Wait(t, n)
		require.Zero(t, l.backward(t))

		link.Resume()
		testkit.Eventually(t, func() bool { return l.backward(t) > 0 }, "what the late one had in hand is published")
		n += l.lives(t, 20, 9, 10)
		l.waitDone(t)
		r.Wait(t, n)
		s.told(t, "orderledger.emitter.efs")
		l.delivered(t, s, r, n)
	})
}

func TestAMessageThatIsPublishedLateByATranslatorThatLivesDisturbsNobody(t *testing.T) {
	t.Parallel()
	onEach(t, 2, func(t *testing.T, l *ledger, s *stage) {
		t.Helper()
		r := testkit.NewReceiver(t, testSecret)
		s.start(t, config(endpoint("efs", r)))
		quick := DefaultTranslateConfig()
		quick.DrainTimeout = 200 * time.Millisecond

		n := l.lives(t, 20, 1, 2)
		var link, open netfault.Link
		l.overLink(t, quick, &link)
		l.waitDone(t)
		// The network delays one write. The translator lives, gives a lane to another that joins, and no longer waits for
		// the write when it has to.
		held := link.DelayAt(netfault.IsKind(kmsg.Produce))
		n += l.lives(t, 20, 3, 5)
		<-held
		other := l.overLink(t, quick, &open)
		testkit.Eventually(t, func() bool { return r.Distinct() > n-20*3 }, "the other translates a lane")
		link.Resume()
		n += l.lives(t, 20, 6, 8)
		l.waitDone(t)
		r.Wait(t, n)
		require.NoError(t, other.Close())
		n += l.lives(t, 20, 9, 10)
		l.waitDone(t)
		r.Wait(t, n)
		s.told(t, "orderledger.emitter.efs")
		t.Log(l.backward(t), "records behind one with a higher id")
		l.delivered(t, s, r, n)
	})
}

// delivered checks that the receiver got each of n messages once and in order, although the topic has repeats; and that
// an endpoint that reads the topic from the start gets the same.
func (l *ledger) delivered(t testing.TB, s *stage, r *testkit.Receiver, n int) {
	t.Helper()
	require.Equal(t, n, r.Distinct())
	require.Zero(t, r.Repeats(), "the deliverer passes over ids that are not above the highest")
	r.RequireNoViolations(t)
	fresh := testkit.NewReceiver(t, testSecret)
	s.start(t, config(endpoint("fresh", fresh)))
	fresh.Wait(t, n)
	s.told(t, "orderledger.emitter.fresh")
	require.Equal(t, n, fresh.Distinct())
	require.Zero(t, fresh.Repeats())
	fresh.RequireNoViolations(t)
}
