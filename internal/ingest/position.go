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
	"github.com/orderledger/orderledger/internal/kafka"
)

// retrySoon is how long callers are asked to wait when nothing is wrong with their request.
const retrySoon = time.Second

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

// String writes lane:offset,lane:offset by lane; empty for none.
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

// watcher knows up to where the projection is complete, by the positions that the projector commits after its last
// table. It asks the broker only while somebody waits, and once for all who do.
type watcher struct {
	admin *kadm.Client
	group string

	mu   sync.Mutex
	done map[int32]int64 // Per lane, the first offset that is not complete; guarded by mu.
	at   time.Time       // When done was asked for; guarded by mu.
}

// pollEvery is how often a waiting read asks. A projection is behind by some tens of milliseconds.
const pollEvery = 10 * time.Millisecond

func newWatcher(admin *kadm.Client, cluster string) *watcher {
	return &watcher{admin: admin, group: kafka.GroupProjector(cluster)}
}

// reached reports whether all positions are complete, asking the broker unless an answer is younger than pollEvery.
func (w *watcher) reached(ctx context.Context, want positions) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.covers(want) {
		return true, nil
	}
	if time.Since(w.at) < pollEvery {
		return false, nil
	}
	offsets, err := committed(ctx, w.admin, w.group, events.TopicEvents)
	if err != nil {
		return false, err
	}
	w.done, w.at = map[int32]int64{}, time.Now()
	for p, o := range offsets {
		w.done[p] = o.At
	}
	return w.covers(want), nil
}

// committed returns the positions that a group has committed in a topic. A group that has never been, or partitions it
// has committed nothing for, are not in it.
func committed(ctx context.Context, admin *kadm.Client, group, topic string) (map[int32]kadm.OffsetResponse, error) {
	offsets, err := admin.FetchOffsets(ctx, group)
	if err == nil {
		err = offsets.Error()
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("positions of %s: %w", group, err)
	}
	return offsets[topic], nil
}

func (w *watcher) covers(want positions) bool {
	for _, p := range want {
		if w.done[p.lane] <= p.offset {
			return false
		}
	}
	return true
}

// await waits until the read model holds what the caller has seen, as its If-Position-At-Least says.
func (g *Ingest) await(ctx context.Context, c *call) error {
	header := c.r.Header.Get(HeaderIfPosition)
	if header == "" {
		return nil
	}
	want, err := parsePositions(header, g.cfg.Lanes)
	if err != nil {
		return newProblem(problemUnprocessable, HeaderIfPosition+": "+err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.PositionTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last error
	for {
		ok, err := g.watcher.reached(ctx, want)
		if ok {
			return nil
		}
		if err != nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return newProblem(problemNotYet, "the tables do not hold "+want.String()+" yet").because(last).retryAfter(retrySoon)
		}
	}
}
