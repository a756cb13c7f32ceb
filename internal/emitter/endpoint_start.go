package emitter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// Where a new endpoint starts, besides a time.
const (
	// StartNow: with suborders that are created from now on.
	StartNow = "now"
	// StartEarliest: with the oldest message of the topic.
	StartEarliest = "earliest"
)

const (
	// startSlack is how far before the start reading begins. A message is written after its suborder was created, but the
	// time of its record comes from another clock. Kafka refuses records an hour ahead, so clocks differ by less.
	startSlack = time.Hour
	// startRetry is the wait after a failed attempt to commit the start.
	startRetry = time.Second
)

var errStart = errors.New("is not now, earliest or a time as in RFC 3339, after 1970")

// startTime returns the time of which suborders must be to be sent to a new endpoint, in Unix milliseconds; 0 means
// all.
func (e *Endpoint) startTime(now time.Time) (int64, error) {
	switch e.Start {
	case StartEarliest:
		return 0, nil
	case "", StartNow:
		return now.UnixMilli(), nil
	}
	at, err := time.Parse(time.RFC3339, e.Start)
	if err != nil || at.UnixMilli() <= 0 {
		return 0, fmt.Errorf("start %q %w", e.Start, errStart)
	}
	return at.UnixMilli(), nil
}

// settleStart commits where the endpoint starts, for all partitions in one request, if its group has no position yet.
// It runs before the worker joins the group, so before the first fetch: from then on a crash loses nothing, although
// "now" would be another time after it. It tries until it succeeds or ctx ends.
func (w *endpointWorker) settleStart(ctx context.Context) error {
	client, err := kgo.NewClient(w.options...)
	if err != nil {
		return fmt.Errorf("client for the start of group %s: %w", w.group, err)
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	failing := false
	for {
		err := w.commitStart(ctx, adm)
		if err == nil || ctx.Err() != nil {
			return nil // The end of ctx is the order to stop.
		}
		// Another instance has joined the group meanwhile. That is no failure: it has committed the start.
		if !failing && !errors.Is(err, kerr.UnknownMemberID) {
			failing = true
			w.log.LogAttrs(ctx, slog.LevelWarn, "start not committed", slog.Any("err", err))
		}
		select {
		case <-time.After(startRetry):
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *endpointWorker) commitStart(ctx context.Context, adm *kadm.Client) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	known, err := adm.FetchOffsets(ctx, w.group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("read the positions of %s: %w", w.group, err)
	}
	positioned := false
	known.Each(func(o kadm.OffsetResponse) {
		positioned = positioned || o.Topic == events.TopicSuborders && o.At >= 0
	})
	if positioned {
		return nil
	}
	start, err := w.endpoint.startTime(time.Now())
	if err != nil {
		return err
	}
	listed, err := listStart(ctx, adm, start)
	if err != nil {
		return fmt.Errorf("find the start in %s: %w", events.TopicSuborders, err)
	}
	var offsets kadm.Offsets
	listed.Each(func(o kadm.ListedOffset) {
		p := partition{next: o.Offset, start: start}
		offsets.Add(kadm.Offset{
			Topic: o.Topic, Partition: o.Partition, At: o.Offset, LeaderEpoch: -1, Metadata: encodeCompleted(&p),
		})
	})
	// The broker refuses this while the group has members. Another instance was then faster, and the next attempt finds
	// its positions.
	if err := adm.CommitAllOffsets(ctx, w.group, offsets); err != nil {
		return fmt.Errorf("commit the start of %s: %w", w.group, err)
	}
	w.log.LogAttrs(ctx, slog.LevelInfo, "start committed", slog.Time("start", time.UnixMilli(start).UTC()),
		slog.Bool("earliest", start == 0))
	return nil
}

// listStart returns offsets at or below those of all messages of suborders that were created at or after a time.
func listStart(ctx context.Context, adm *kadm.Client, start int64) (kadm.ListedOffsets, error) {
	if start == 0 {
		listed, err := adm.ListStartOffsets(ctx, events.TopicSuborders)
		return listed, cmp.Or(err, listed.Error())
	}
	// The client looks up the end of a partition without such a message in a second request. What is written between the
	// two would be skipped, so the ends of before count.
	ends, err := adm.ListEndOffsets(ctx, events.TopicSuborders)
	if err = cmp.Or(err, ends.Error()); err != nil {
		return nil, err
	}
	from := time.UnixMilli(start).Add(-startSlack)
	listed, err := adm.ListOffsetsAfterMilli(ctx, max(from.UnixMilli(), 0), events.TopicSuborders)
	if err = cmp.Or(err, listed.Error()); err != nil {
		return nil, err
	}
	for _, partitions := range listed {
		for number, o := range partitions {
			end, _ := ends.Lookup(o.Topic, number) // A partition that was created meanwhile starts at 0.
			o.Offset = min(o.Offset, end.Offset)
			partitions[number] = o
		}
	}
	return listed, nil
}
