package emitter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
)

// commitTimeout bounds one commit, including the client's own retries. It also bounds how long a stop takes without
// Kafka.
const commitTimeout = 10 * time.Second

// commit starts a commit of the changed positions when one is due and no other is in progress. It does not wait.
func (w *endpointWorker) commit(now time.Time) {
	c := &w.commits
	if c.inProgress || c.due.IsZero() || now.Before(c.due) {
		return
	}
	c.due = time.Time{}
	positions := w.positions(nil)
	if len(positions) == 0 {
		return
	}
	c.inProgress = true
	c.running.Go(func() {
		// The commit is not bound to the context of any message; commitPositions bounds it.
		w.commitPositions(context.Background(), positions)
		w.do(func() {
			c.inProgress = false
			if len(w.positions(nil)) > 0 {
				w.changed()
			}
		})
	})
}

// positions returns the uncommitted positions of the given partitions; nil means all partitions that are not draining.
func (w *endpointWorker) positions(of []*partition) []position {
	if of == nil {
		for _, p := range w.partitions {
			if !p.draining {
				of = append(of, p)
			}
		}
	}
	var uncommitted []position
	for _, p := range of {
		if p.version != p.committed {
			uncommitted = append(uncommitted, p.position())
		}
	}
	return uncommitted
}

// commitPositions commits positions and waits for the response. After a failure they stay uncommitted and are part of
// the next commit.
func (w *endpointWorker) commitPositions(ctx context.Context, positions []position) {
	if len(positions) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	offsets, metadata := make(map[int32]int64, len(positions)), make(map[int32]string, len(positions))
	for i := range positions {
		number := positions[i].partition.number
		offsets[number], metadata[number] = positions[i].offset, positions[i].metadata
	}
	var err error
	for number, refused := range commitOffsets(ctx, w.kafka, offsets, metadata) {
		err = fmt.Errorf("partition %d: %w", number, refused)
	}
	if err != nil {
		w.metrics.commits.WithLabelValues(w.endpoint.Name, "error").Inc()
		// Only the first failure of a series is logged: the next attempt is one commit interval away.
		if !w.commits.failed.Swap(true) {
			w.log.LogAttrs(ctx, slog.LevelWarn, "commit refused", slog.Any("err", fmt.Errorf("commit %s: %w", w.group, err)))
		}
		return
	}
	w.commits.failed.Store(false)
	w.metrics.commits.WithLabelValues(w.endpoint.Name, "ok").Inc()
	w.do(func() {
		for _, sent := range positions {
			sent.partition.committed = max(sent.partition.committed, sent.version)
		}
	})
}

// commitOffsets commits offsets with their metadata as a member of the client's group, and returns the error of each
// partition that was not committed.
func commitOffsets(
	ctx context.Context, client *kgo.Client, offsets map[int32]int64, metadata map[int32]string,
) (refused map[int32]error) {
	at := make(map[int32]kgo.EpochOffset, len(offsets))
	for number, offset := range offsets {
		at[number] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	// The client has no option for the metadata of a commit, but it lets us edit the request.
	ctx = kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		for t := range request.Topics {
			for i := range request.Topics[t].Partitions {
				p := &request.Topics[t].Partitions[i]
				text := metadata[p.Partition]
				p.Metadata = &text
			}
		}
		return nil
	})
	refused = make(map[int32]error)
	client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{events.TopicSuborders: at},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, failed error) {
			for number := range offsets {
				refused[number] = cmp.Or(failed, errNoResponse)
			}
			if response == nil {
				return
			}
			for _, topic := range response.Topics {
				for _, p := range topic.Partitions {
					if refused[p.Partition] = kerr.ErrorForCode(p.ErrorCode); refused[p.Partition] == nil {
						delete(refused, p.Partition)
					}
				}
			}
		})
	return refused
}

var errNoResponse = errors.New("no response")

// handOver releases partitions in order, all of them if numbers is nil: it starts no more requests for them, waits for
// those in flight up to the limit, commits the positions and drops the partitions, which cancels what is still in
// flight. A successor repeats only what was cancelled.
func (w *endpointWorker) handOver(ctx context.Context, numbers []int32, limit time.Duration) {
	var leaving []*partition
	var waits []chan struct{}
	w.do(func() {
		if numbers == nil {
			for number := range w.partitions {
				numbers = append(numbers, number)
			}
		}
		for _, number := range numbers {
			p := w.partitions[number]
			if p == nil {
				continue
			}
			w.scheduler.drain(p)
			leaving = append(leaving, p)
			if p.inFlight > 0 {
				if p.drained == nil { // A stop and a rebalance may wait for the same partition.
					p.drained = make(chan struct{})
				}
				waits = append(waits, p.drained)
			}
		}
	})
	if len(leaving) == 0 {
		return
	}
	late := time.NewTimer(limit)
	defer late.Stop()
	timedOut := false
	for _, drained := range waits {
		if timedOut {
			break
		}
		select {
		case <-drained:
		case <-late.C:
			timedOut = true
		}
	}
	var final []position
	w.do(func() { final = w.positions(leaving) })
	w.commitPositions(ctx, final)
	w.do(func() {
		for _, p := range leaving {
			w.drop(p)
		}
	})
	w.log.LogAttrs(ctx, slog.LevelInfo, "partitions handed over",
		slog.Any("partitions", numbers), slog.Bool("in_order", !timedOut))
}
