package returns

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/orderledger/orderledger/events"
)

// When a partition is assigned to this instance, all its aliases are still to be read. Until then, the resolver
// delivers nothing of it: a return may have several shipments, and a notification that went to the shipment whose alias
// was read first would never reach the others. Notifications wait in the store in the meantime, in their order.

// catchUp reports whether every alias that existed when the partition was assigned has been read. When that becomes
// true it releases the pending notifications of the partition.
func (r *resolver) catchUp(ctx context.Context, p int32) (bool, error) {
	if r.caughtUp[p] {
		return true, nil
	}
	end, known := r.aliasEnds[p]
	if !known {
		var err error
		if end, err = r.aliasEnd(ctx, p); err != nil {
			// The next round tries again; until then everything waits.
			r.log.WarnContext(ctx, "end of aliases not read", slog.Int("partition", int(p)), slog.Any("err", err))
			return false, nil
		}
		r.aliasEnds[p] = end
	}
	if r.aliased[p] < end {
		return false, nil
	}
	r.caughtUp[p] = true
	waiting, err := r.store.subjects(p)
	if err != nil {
		return true, err
	}
	for _, key := range waiting {
		if err := r.release(ctx, key); err != nil {
			return true, err
		}
	}
	return true, nil
}

// aliasEnd returns the end offset of a partition's aliases; 0 if it has none. Compaction never removes the last record
// of a partition, so a reader reaches that offset.
func (r *resolver) aliasEnd(ctx context.Context, p int32) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.AppendTimeout)
	defer cancel()
	starts, err := r.admin.ListStartOffsets(ctx, events.TopicAliases)
	if err != nil {
		return 0, fmt.Errorf("start of %s: %w", events.TopicAliases, err)
	}
	ends, err := r.admin.ListEndOffsets(ctx, events.TopicAliases)
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

// catchUpAll looks at every partition with records.
func (r *resolver) catchUpAll(ctx context.Context) error {
	for p := range r.touched {
		if _, err := r.catchUp(ctx, p); err != nil {
			return err
		}
	}
	return nil
}
