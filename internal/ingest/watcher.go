package ingest

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/kafka"
)

// watcher waits until the parts of the ledger have come far enough.
type watcher struct {
	lanes   int
	timeout time.Duration // The longest wait of a read.

	guard      *tablesGuard
	tables     *groupProgress // The projection: its group commits an offset after the last table.
	inbox      *groupProgress // The lanes, in the inbox.
	unresolved *groupProgress // The resolver, in its notifications.
	aliases    *groupProgress // The resolver, in the aliases.
	aliased    *groupProgress // The alias worker, in the events.
}

func newWatcher(
	admin *kadm.Client, cluster string, lanes int, timeout time.Duration, guard *tablesGuard,
) *watcher {
	progressOf := func(group, topic string) *groupProgress {
		return &groupProgress{
			admin: admin, group: group, topic: topic, lanes: lanes, at: func(o kadm.OffsetResponse) int64 { return o.At },
		}
	}
	w := &watcher{
		lanes: lanes, timeout: timeout, guard: guard,
		tables:     progressOf(kafka.GroupProjector(cluster), events.TopicEvents),
		inbox:      progressOf(kafka.GroupInbox(cluster), events.TopicInbox),
		unresolved: progressOf(kafka.GroupResolver(cluster), events.TopicUnresolved),
		aliases:    progressOf(kafka.GroupResolver(cluster), events.TopicAliases),
		aliased:    progressOf(kafka.GroupAliases(cluster), events.TopicEvents),
	}
	w.unresolved.at = examined
	return w
}

// examined returns how far the resolver has examined its notifications. Its offset is that of the oldest one that waits
// for a return; the rest is in the metadata.
func examined(o kadm.OffsetResponse) int64 {
	if at, err := strconv.ParseInt(o.Metadata, 10, 64); err == nil {
		return at
	}
	return max(o.At, 0)
}

// await waits until the read model holds the position in the request's If-Position-At-Least header, if it has one.
func (w *watcher) await(ctx context.Context, c *httpx.Call) error {
	if err := w.guard.check(ctx); err != nil {
		return err
	}
	header := c.Request.Header.Get(HeaderIfPosition)
	if header == "" {
		return nil
	}
	want, err := parsePositions(header, w.lanes)
	if err != nil {
		return httpx.Unprocessable.New(HeaderIfPosition + ": " + err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	return w.tables.reach(ctx, want)
}

// awaitEnds waits, for limit at most, until the read model holds everything that was answered with 200 before: what is
// in the ledger, and what waits in the inbox and for the resolver to be decided. It follows the inputs on their way,
// and reads the end of each topic after its writer has finished; notifications of returns go in a loop, see
// progress.measure.
func (w *watcher) awaitEnds(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := w.guard.check(ctx); err != nil {
		return err
	}
	if err := w.inbox.reachEnd(ctx); err != nil {
		return err
	}
	ends, err := w.unresolved.ends(ctx)
	if err != nil {
		return err
	}
	if len(ends) > 0 { // Else no notification ever needed an alias.
		steps := []*groupProgress{w.aliased, w.aliases}
		// A new return passes from the partition of one of its order items to that of the next. More than a few that name no
		// shipment are so rare that no call needs to wait for each.
		for range 3 {
			steps = append(steps, w.unresolved)
		}
		for _, f := range append(steps, w.inbox) {
			if err := f.reachEnd(ctx); err != nil {
				return err
			}
		}
	}
	return w.tables.reachEnd(ctx)
}

// groupProgress waits until a group has come to a place in a topic. It asks the broker only while somebody waits, and
// once for all who do.
type groupProgress struct {
	admin        *kadm.Client
	group, topic string
	lanes        int
	at           func(kadm.OffsetResponse) int64 // The first offset that the group has not handled.

	mu      sync.Mutex
	done    map[int32]int64 // Per lane, the first offset that is not handled; guarded by mu.
	askedAt time.Time       // When the broker was asked for done; guarded by mu.
}

// pollEvery is the interval between requests to the broker. A projection lags by some tens of milliseconds.
const pollEvery = 10 * time.Millisecond

// ends returns the positions of the last records of the topic.
func (f *groupProgress) ends(ctx context.Context) (positions, error) {
	ends, err := writtenEnds(ctx, f.admin, f.topic, f.lanes)
	if err != nil {
		return nil, httpx.Unavailable.New("Kafka did not answer").Because(err).After(retrySoon)
	}
	var out positions
	for lane, end := range ends {
		if end > 0 {
			out.add(lane, end-1)
		}
	}
	return out, nil
}

// reachEnd waits until the group has handled everything that is in the topic now.
func (f *groupProgress) reachEnd(ctx context.Context) error {
	want, err := f.ends(ctx)
	if err != nil {
		return err
	}
	return f.reach(ctx, want)
}

// reach waits until the group has handled all positions, or ctx ends.
func (f *groupProgress) reach(ctx context.Context, want positions) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last error
	for {
		ok, err := f.reached(ctx, want)
		if ok {
			return nil
		}
		if err != nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return notYet.New("the tables do not hold everything yet: " + f.group + " has not come to " + want.String() +
				" of " + f.topic).Because(last).After(retrySoon)
		}
	}
}

// reached reports whether all positions are handled. It asks the broker unless the last answer is younger than
// pollEvery.
func (f *groupProgress) reached(ctx context.Context, want positions) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.covers(want) {
		return true, nil
	}
	if time.Since(f.askedAt) < pollEvery {
		return false, nil
	}
	offsets, err := committedOffsets(ctx, f.admin, f.group, f.topic)
	if err != nil {
		return false, err
	}
	f.done, f.askedAt = map[int32]int64{}, time.Now()
	for p, o := range offsets {
		f.done[p] = f.at(o)
	}
	return f.covers(want), nil
}

func (f *groupProgress) covers(want positions) bool {
	for _, p := range want {
		if f.done[p.lane] <= p.offset {
			return false
		}
	}
	return true
}
