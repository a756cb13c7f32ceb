package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// heardEvery is how often a member is heard of by the group. Only then is it told that lanes have come to it: when
// another has died, so much is added to the session that has run out.
const heardEvery = 500 * time.Millisecond

// join returns a member of the owners' group. The group says who should own which lane and nothing else: no record is
// read and no offset committed through it. Safety is in the fence; a group that is wrong costs time only.
func (j *Journal) join(ctx context.Context) (*kgo.Client, error) {
	opts := append(append([]kgo.Opt{}, j.deps.Options...),
		kgo.ConsumerGroup(kafka.GroupLanes(j.cfg.Cluster)),
		kgo.ConsumeTopics(events.TopicEvents),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
		kgo.DisableAutoCommit(),
		kgo.Balancers(advertiser{kgo.CooperativeStickyBalancer(), j.cfg.Advertise}),
		kgo.SessionTimeout(j.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(j.cfg.SessionTimeout/4, heardEvery)),
		kgo.RebalanceTimeout(j.cfg.RebalanceTimeout),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			j.assign(ctx, m[events.TopicEvents])
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { j.revoke(m[events.TopicEvents]) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { j.revoke(m[events.TopicEvents]) }),
	)
	if j.cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(j.cfg.InstanceID))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("join the owners of lanes: %w", err)
	}
	client.PauseFetchTopics(events.TopicEvents)
	return client, nil
}

// assign opens lanes. Opening takes its time elsewhere; the group is not kept waiting.
func (j *Journal) assign(ctx context.Context, lanes []int32) {
	j.owners.trust(lanes)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.joined = true
	for _, id := range lanes {
		if j.lanes[id] != nil || ctx.Err() != nil || int(id) >= j.cfg.Lanes || j.unlinger(id) {
			continue
		}
		l := newLane(ctx, j, id, j.last[id])
		j.lanes[id], j.last[id] = l, l.gone
	}
	j.metrics.owned.Set(float64(len(j.lanes)))
	j.log.InfoContext(ctx, "lanes assigned", slog.Any("lanes", lanes))
}

// revoke gives lanes up. Where the next owner can ask for them they serve until it does. Otherwise they stop, and it
// returns when their batches in hand are finished, so that the next owner rarely has to fence one that is in the
// middle.
func (j *Journal) revoke(ids []int32) {
	j.owners.trust(ids) // Those that linger serve on.
	j.mu.Lock()
	var going []*lane
	for _, id := range ids {
		l := j.lanes[id]
		if l == nil {
			continue
		}
		delete(j.lanes, id)
		if j.lingers() && l.open.Load() {
			j.linger(l)
		} else {
			going = append(going, l)
		}
	}
	j.metrics.owned.Set(float64(len(j.lanes)))
	j.mu.Unlock()
	stopAll(going)
	if len(ids) > 0 {
		j.log.Info("lanes revoked", slog.Any("lanes", ids))
	}
}

func stopAll(lanes []*lane) {
	var wg sync.WaitGroup
	for _, l := range lanes {
		wg.Go(func() {
			l.stop()
			<-l.gone
		})
	}
	wg.Wait()
}

// watch returns when the group refuses this instance for good. Other trouble of the group heals by itself.
func (j *Journal) watch(ctx context.Context, client *kgo.Client) error {
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			switch {
			case ctx.Err() != nil:
			case errors.Is(e.Err, kerr.FencedInstanceID):
				return fmt.Errorf("instance id %q: another instance uses it: %w", j.cfg.InstanceID, e.Err)
			case kafka.RefusedByGroup(e.Err):
				return fmt.Errorf("own lanes: %w", e.Err)
			default:
				j.log.WarnContext(ctx, "owners' group", slog.Any("err", e.Err))
			}
		}
	}
	return nil
}

// stillAssigned asks the group whether a lane is this member's, and tells whether it got an answer. A fenced owner must
// not simply take the lane back: it may be one that slept while the lane moved on, and has not been told yet.
func (j *Journal) stillAssigned(ctx context.Context, lane int32) (mine, told bool) {
	g, err := j.describeGroup(ctx)
	if err != nil {
		return false, false
	}
	me := j.member()
	for i := range g.Members {
		if m := &g.Members[i]; m.MemberID == me && slices.Contains(assignedLanes(m), lane) {
			return true, true
		}
	}
	return false, true
}
