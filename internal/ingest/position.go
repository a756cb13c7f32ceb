package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
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

// writtenEnds returns the ends of a topic's partitions, with what is in an open transaction. A committed one still
// counts as open until its marker is in the partition, which the broker writes after it has answered the lane: readers
// do not see its records yet, though everybody else knows that they are stored. It leaves out partitions that are no
// lane: nobody reads them, so waiting for them would never end.
func writtenEnds(ctx context.Context, admin *kadm.Client, topic string, lanes int) (map[int32]int64, error) {
	listed, err := admin.ListEndOffsets(ctx, topic)
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
