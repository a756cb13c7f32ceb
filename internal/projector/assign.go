package projector

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var errRevoked = errors.New("partition revoked")

// assigned starts a worker for every partition, bound to the current membership. kgo fetches nothing before it returns,
// so no record arrives without a worker.
func (p *Projector) assigned(_ context.Context, client *kgo.Client, topics map[string][]int32) {
	id, generation := client.GroupMetadata()
	m := member{id: id, generation: generation}
	if p.cfg.InstanceID != "" {
		m.instance = &p.cfg.InstanceID
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return
	}
	for topic, partitions := range topics {
		for _, n := range partitions {
			p.workers[partition{topic, n}] = p.start(client, m, topic, n)
		}
	}
}

func (p *Projector) start(client *kgo.Client, m member, topic string, n int32) *worker {
	w := &worker{
		p: p, queue: newQueue(p.budget), done: make(chan struct{}), position: -1, acked: -1, historyEnd: -1,
		unconfirmed: -1, log: p.log.With(slog.String("topic", topic), slog.Int("partition", int(n))),
		commit: &committer{
			client: client, group: p.group(), topic: topic, topicID: p.topicIDs[topic], partition: n, member: m,
		},
	}
	// The worker ends when its partition is revoked. The context that kgo passes in ends with the client, which would
	// cancel the batch in hand before stopWorkers has waited for it.
	var abort, stop context.CancelCauseFunc
	w.aborted, abort = context.WithCancelCause(context.Background())
	w.stopped, stop = context.WithCancelCause(w.aborted)
	w.abort = func() { abort(errRevoked) }
	w.stop = func() { stop(errRevoked) }
	go func() {
		if err := w.run(); err != nil {
			select {
			case p.failed <- err:
			default:
			}
		}
	}()
	return w
}

// revoked stops workers and waits for them: when it returns, the group assigns their partitions to other members.
func (p *Projector) revoked(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
	p.stopWorkers(topics)
}

// stopWithin is how long a worker may spend on the batch in hand after its partition was revoked.
func (p *Projector) stopWithin() time.Duration { return min(5*time.Second, p.cfg.SessionTimeout/2) }

// stopWorkers stops the workers of these partitions, or all for nil, and waits for them.
func (p *Projector) stopWorkers(topics map[string][]int32) {
	var stopping []*worker
	p.mu.Lock()
	for id, w := range p.workers {
		if topics == nil || slices.Contains(topics[id.topic], id.id) {
			stopping = append(stopping, w)
			delete(p.workers, id)
		}
	}
	p.mu.Unlock()
	for _, w := range stopping {
		w.stop()
	}
	limit := time.NewTimer(p.stopWithin())
	defer limit.Stop()
	for _, w := range stopping {
		select {
		case <-w.done:
		case <-limit.C:
			// Cancel the inserts in flight. The intent lets the next worker find out which of them were stored.
			for _, late := range stopping {
				late.abort()
			}
			<-w.done
		}
		w.abort()
	}
}
