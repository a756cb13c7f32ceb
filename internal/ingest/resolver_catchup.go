package ingest

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/orderledger/orderledger/events"
)

// A partition that comes to this instance comes with all its aliases still to be read. Until they are, nothing of it is
// handed on: a return may have several shipments, and what goes to those of which the alias was read first would never
// go to the others. What comes meanwhile waits in the store, in its order.

// caughtUp tells whether every alias that there was when the partition came has been read. Where that was not known
// before and is now, what waited for it is handed on.
func (r *resolver) caughtUp(ctx context.Context, p int32) (bool, error) {
	if r.caught[p] {
		return true, nil
	}
	end, known := r.aliasEnds[p]
	if !known {
		var err error
		if end, err = r.aliasEnd(ctx, p); err != nil {
			// Asked again in the next round; until then everything waits.
			r.g.log.WarnContext(ctx, "aliases not measured", slog.Int("partition", int(p)), slog.Any("err", err))
			return false, nil
		}
		r.aliasEnds[p] = end
	}
	if r.aliased[p] < end {
		return false, nil
	}
	r.caught[p] = true
	returns, err := r.store.returns(p)
	if err != nil {
		return true, err
	}
	for _, known := range returns {
		if err := r.release(ctx, known); err != nil {
			return true, err
		}
	}
	return true, nil
}

// aliasEnd is where the aliases of a partition end now; 0 where there are none. The last record of a compacted
// partition is never compacted away, so a reader gets there.
func (r *resolver) aliasEnd(ctx context.Context, p int32) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, r.g.cfg.NotificationTimeout)
	defer cancel()
	starts, err := r.g.admin.ListStartOffsets(ctx, events.TopicAliases)
	if err != nil {
		return 0, fmt.Errorf("start of %s: %w", events.TopicAliases, err)
	}
	ends, err := r.g.admin.ListEndOffsets(ctx, events.TopicAliases)
	if err != nil {
		return 0, fmt.Errorf("end of %s: %w", events.TopicAliases, err)
	}
	start, ok := starts.Lookup(events.TopicAliases, p)
	if !ok || start.Err != nil {
		return 0, fmt.Errorf("start of partition %d of %s: %w", p, events.TopicAliases, start.Err)
	}
	end, ok := ends.Lookup(events.TopicAliases, p)
	if !ok || end.Err != nil {
		return 0, fmt.Errorf("end of partition %d of %s: %w", p, events.TopicAliases, end.Err)
	}
	if end.Offset <= start.Offset {
		return 0, nil
	}
	return end.Offset, nil
}

// catchUp looks at every partition that a round has touched.
func (r *resolver) catchUp(ctx context.Context) error {
	for p := range r.touched {
		if _, err := r.caughtUp(ctx, p); err != nil {
			return err
		}
	}
	return nil
}
