package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/preflight"
)

// clock compares this machine's clock with the cluster's.
//
// Kafka has no request for the time, and a broker stamps its time only on records that are written. But the
// controller's leader answers DescribeQuorum with its own current time in place of its last fetch. That is one clock of
// the cluster, exact to half of the round trip, and reading it leaves no trace. If the user may not send
// DescribeQuorum, the newest recorded time in the ledger is a hint: either this clock is behind, or another one was
// ahead when it was written.
func (i inspector) clock(ctx context.Context) []preflight.Finding {
	behind, uncertainty, err := clockBehind(ctx, i.client)
	if err != nil {
		return i.newest(ctx, err)
	}
	return []preflight.Finding{preflight.Clock("the controller", behind, uncertainty)}
}

// clockBehind returns how far this machine's clock is behind the controller's, negative if it is ahead.
func clockBehind(ctx context.Context, client *kgo.Client) (behind, uncertainty time.Duration, err error) {
	// The first request opens the connection; only the second is timed.
	if _, err := quorumTime(ctx, client); err != nil {
		return 0, 0, err
	}
	before := time.Now()
	cluster, err := quorumTime(ctx, client)
	if err != nil {
		return 0, 0, err
	}
	trip := time.Since(before)
	return cluster.Sub(before.Add(trip / 2)), trip / 2, nil
}

func quorumTime(ctx context.Context, client *kgo.Client) (time.Time, error) {
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("describe quorum: %w", err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			for _, v := range p.CurrentVoters {
				if v.ReplicaID == p.LeaderID && v.LastFetchTimestamp > 0 {
					return time.UnixMilli(v.LastFetchTimestamp), nil
				}
			}
		}
	}
	return time.Time{}, errors.New("describe quorum: the leader reported no time")
}

func (i inspector) newest(ctx context.Context, cause error) []preflight.Finding {
	offsets, err := i.adm.ListMaxTimestampOffsets(ctx, events.TopicEvents)
	var newest time.Time
	if err == nil {
		for _, o := range offsets[events.TopicEvents] {
			if at := time.UnixMilli(o.Timestamp); o.Err == nil && o.Timestamp > 0 && at.After(newest) {
				newest = at
			}
		}
	}
	switch ahead := time.Until(newest); {
	case newest.IsZero():
		return []preflight.Finding{preflight.Good("not measured (%v), and the ledger has no event to compare with", cause)}
	case ahead > time.Second:
		// No failure: nothing may keep a program from starting because of what an earlier clock wrote.
		return []preflight.Finding{preflight.Warning("compare this machine's clock with the right time (NTP)",
			"the newest event of the ledger is %s ahead of this machine; not measured (%v)", ahead.Round(time.Second), cause)}
	}
	return []preflight.Finding{preflight.Good("not behind the newest event of the ledger; not measured (%v)", cause)}
}
