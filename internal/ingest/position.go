package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/httpx"
)

// position is a place in the ledger.
type position struct {
	lane   int32
	offset int64
}

// positions is a Ledger-Position: the highest offset of each lane that a call touched.
type positions []position

func (p *positions) add(lane int32, offset int64) {
	for i := range *p {
		if (*p)[i].lane == lane {
			(*p)[i].offset = max((*p)[i].offset, offset)
			return
		}
	}
	*p = append(*p, position{lane, offset})
}

// String returns lane:offset,lane:offset in the order of the lanes; empty for none.
func (p positions) String() string {
	sorted := slices.SortedFunc(slices.Values(p), func(a, b position) int { return int(a.lane - b.lane) })
	parts := make([]string, len(sorted))
	for i, at := range sorted {
		parts[i] = strconv.Itoa(int(at.lane)) + ":" + strconv.FormatInt(at.offset, 10)
	}
	return strings.Join(parts, ",")
}

func parsePositions(s string, lanes int) (positions, error) {
	var out positions
	for part := range strings.SplitSeq(s, ",") {
		lane, offset, ok := strings.Cut(strings.TrimSpace(part), ":")
		l, err1 := strconv.ParseInt(lane, 10, 32)
		o, err2 := strconv.ParseInt(offset, 10, 64)
		if !ok || err1 != nil || err2 != nil || l < 0 || l >= int64(lanes) || o < 0 {
			return nil, fmt.Errorf("%q: want lane:offset,lane:offset as a Ledger-Position has it", s[:min(len(s), 100)])
		}
		out.add(int32(l), o)
	}
	return out, nil
}

// watcher waits until the projection is complete up to a position. It reads the offsets that the projector commits
// after its last table. It asks the broker only while a read waits, and once for all that do.
type watcher struct {
	admin   *kadm.Client
	group   string // The projector's.
	lanes   int
	timeout time.Duration // The longest wait.

	mu      sync.Mutex
	done    map[int32]int64 // Per lane, the first offset that is not complete; guarded by mu.
	askedAt time.Time       // When the broker was asked for done; guarded by mu.
}

// pollEvery is the interval between requests to the broker. A projection lags by some tens of milliseconds.
const pollEvery = 10 * time.Millisecond

// await waits until the read model holds the position in the request's If-Position-At-Least header, if it has one.
func (w *watcher) await(ctx context.Context, c *httpx.Call) error {
	header := c.Request.Header.Get(HeaderIfPosition)
	if header == "" {
		return nil
	}
	want, err := parsePositions(header, w.lanes)
	if err != nil {
		return httpx.Unprocessable.New(HeaderIfPosition + ": " + err.Error())
	}
	return w.reach(ctx, want, w.timeout)
}

// awaitEnds waits until the read model holds everything that is in the ledger now.
func (w *watcher) awaitEnds(ctx context.Context, limit time.Duration) error {
	ends, err := committedEnds(ctx, w.admin, events.TopicEvents, w.lanes)
	if err != nil {
		return httpx.Unavailable.New("Kafka did not answer").Because(err).After(retrySoon)
	}
	var want positions
	for lane, end := range ends {
		if end > 0 {
			want.add(lane, end-1)
		}
	}
	return w.reach(ctx, want, limit)
}

// reach waits until the read model holds all positions, for limit at most.
func (w *watcher) reach(ctx context.Context, want positions, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last error
	for {
		ok, err := w.reached(ctx, want)
		if ok {
			return nil
		}
		if err != nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return notYet.New("the tables do not hold " + want.String() + " yet").Because(last).After(retrySoon)
		}
	}
}

// reached reports whether all positions are complete. It asks the broker unless the last answer is younger than
// pollEvery.
func (w *watcher) reached(ctx context.Context, want positions) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.covers(want) {
		return true, nil
	}
	if time.Since(w.askedAt) < pollEvery {
		return false, nil
	}
	offsets, err := committedOffsets(ctx, w.admin, w.group, events.TopicEvents)
	if err != nil {
		return false, err
	}
	w.done, w.askedAt = map[int32]int64{}, time.Now()
	for p, o := range offsets {
		w.done[p] = o.At
	}
	return w.covers(want), nil
}

func (w *watcher) covers(want positions) bool {
	for _, p := range want {
		if w.done[p.lane] <= p.offset {
			return false
		}
	}
	return true
}

// committedOffsets returns the offsets that a group has committed in a topic. It leaves out partitions without a
// commit; a group that never existed has none.
func committedOffsets(
	ctx context.Context, admin *kadm.Client, group, topic string,
) (map[int32]kadm.OffsetResponse, error) {
	offsets, err := admin.FetchOffsets(ctx, group)
	if err == nil {
		err = offsets.Error()
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of %s: %w", group, err)
	}
	return offsets[topic], nil
}

// committedEnds returns the ends of a topic's partitions, as read-committed readers see them. It leaves out those that
// are no lane: nobody reads them, so waiting for them would never end.
func committedEnds(ctx context.Context, admin *kadm.Client, topic string, lanes int) (map[int32]int64, error) {
	listed, err := admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", topic, err)
	}
	out := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		if int(o.Partition) < lanes {
			out[o.Partition] = o.Offset
		}
	})
	return out, nil
}
