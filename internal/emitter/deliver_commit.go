package emitter

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
)

// commitTimeout bounds one commit with the client's own retries, and with it how long stopping takes without Kafka.
const commitTimeout = 10 * time.Second

// commit starts to commit what has changed, when it is due and no other commit is on its way. It does not wait.
func (c *courier) commit(now time.Time) {
	if c.committing || c.commitDue.IsZero() || now.Before(c.commitDue) {
		return
	}
	c.commitDue = time.Time{}
	positions := c.positions(nil)
	if len(positions) == 0 {
		return
	}
	c.committing = true
	c.busy.Go(func() {
		c.send(context.Background(), positions) // A commit outlives whatever caused it; send bounds it.
		c.do(func() {
			c.committing = false
			if len(c.positions(nil)) > 0 {
				c.changed()
			}
		})
	})
}

// positions returns what is not committed yet of the given partitions; nil means of all that are not handed over.
func (c *courier) positions(of []*partition) []position {
	if of == nil {
		for _, p := range c.partitions {
			if !p.held {
				of = append(of, p)
			}
		}
	}
	var dirty []position
	for _, p := range of {
		if p.version != p.committed {
			dirty = append(dirty, p.position())
		}
	}
	return dirty
}

// send commits positions and waits for the answer. What fails stays changed and is tried again.
func (c *courier) send(ctx context.Context, positions []position) {
	if len(positions) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	offsets := make(map[int32]kgo.EpochOffset, len(positions))
	metadata := make(map[int32]*string, len(positions))
	for i := range positions {
		number := positions[i].partition.number
		offsets[number] = kgo.EpochOffset{Epoch: -1, Offset: positions[i].offset}
		metadata[number] = &positions[i].metadata
	}
	ctx = kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		for t := range request.Topics {
			for p := range request.Topics[t].Partitions {
				part := &request.Topics[t].Partitions[p]
				part.Metadata = metadata[part.Partition]
			}
		}
		return nil
	})
	var err error
	c.kafka.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{events.TopicSuborders: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, failed error) {
			err = errOf(answer, failed)
		})
	if err != nil {
		c.metrics.commits.WithLabelValues(c.endpoint.Name, "error").Inc()
		// Said once per series: the next try is one interval away.
		if !c.refused.Swap(true) {
			c.log.LogAttrs(ctx, slog.LevelWarn, "commit refused", slog.Any("err", fmt.Errorf("commit %s: %w", c.group, err)))
		}
		return
	}
	c.refused.Store(false)
	c.metrics.commits.WithLabelValues(c.endpoint.Name, "ok").Inc()
	c.do(func() {
		for _, sent := range positions {
			sent.partition.committed = max(sent.partition.committed, sent.version)
		}
	})
}

// errOf returns the first error of a commit's answer.
func errOf(answer *kmsg.OffsetCommitResponse, err error) error {
	if err != nil || answer == nil {
		return err
	}
	for _, topic := range answer.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("partition %d: %w", p.Partition, err)
			}
		}
	}
	return nil
}

// handOver gives partitions up in order, all of them when numbers is nil: nothing new is sent, what is in flight is
// waited for as long as a request may take, the position is committed, the rest is forgotten. A successor then
// repeats nothing.
func (c *courier) handOver(ctx context.Context, numbers []int32) {
	var leaving []*partition
	var waits []chan struct{}
	c.do(func() {
		if numbers == nil {
			for number := range c.partitions {
				numbers = append(numbers, number)
			}
		}
		for _, number := range numbers {
			p := c.partitions[number]
			if p == nil {
				continue
			}
			c.lanes.hold(p)
			leaving = append(leaving, p)
			if p.flying > 0 {
				if p.landed == nil { // Stopping and a rebalance may wait for the same partition.
					p.landed = make(chan struct{})
				}
				waits = append(waits, p.landed)
			}
		}
	})
	if len(leaving) == 0 {
		return
	}
	late := time.NewTimer(c.endpoint.Timeout + time.Second)
	defer late.Stop()
	timedOut := false
	for _, landed := range waits {
		if timedOut {
			break
		}
		select {
		case <-landed:
		case <-late.C:
			timedOut = true
		}
	}
	var final []position
	c.do(func() { final = c.positions(leaving) })
	c.send(ctx, final)
	c.do(func() {
		for _, p := range leaving {
			c.drop(p)
		}
	})
	c.log.LogAttrs(ctx, slog.LevelInfo, "partitions handed over", slog.Any("partitions", numbers), slog.Bool("in_order", !timedOut))
}
