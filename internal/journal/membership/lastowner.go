package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// The owners' group holds, for information only, who last took each lane. An instance that the group has forgotten may
// still serve a lane, and only by this can its next owner find it.

// anonymous is the prefix of the name of an instance that can't be reached.
const anonymous = "anonymous/"

// name is what this instance leaves at the lanes it takes: its URL, or a name that no other instance has.
func (m *Membership) name() string {
	if m.cfg.Advertise != "" {
		return m.cfg.Advertise
	}
	return anonymous + m.cfg.Nonce
}

// URLOf returns the URL of the instance of a name, empty if it can't be reached.
func URLOf(name string) string {
	if strings.HasPrefix(name, anonymous) {
		return ""
	}
	return name
}

// LastTaker returns the name of the instance that last took a lane, empty if nobody has, and whether it is this one. It
// may still serve the lane, though the group has forgotten it.
func (m *Membership) LastTaker(ctx context.Context, lane int32) (name string, self bool, err error) {
	names, err := m.lastOwners(ctx)
	return names[lane], names[lane] == m.name(), err
}

// TakenElsewhere returns the lanes that another instance was the last to take.
func (m *Membership) TakenElsewhere(ctx context.Context) (map[int32]bool, error) {
	names, err := m.lastOwners(ctx)
	taken := map[int32]bool{}
	for lane, name := range names {
		if name != "" && name != m.name() {
			taken[lane] = true
		}
	}
	return taken, err
}

func (m *Membership) lastOwners(ctx context.Context) (map[int32]string, error) {
	client := m.connected()
	if client == nil {
		return nil, errUnsettled
	}
	offsets, err := kadm.NewClient(client).FetchOffsets(ctx, kafka.GroupOwners(m.cfg.Cluster))
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("last owners of lanes: %w", err)
	}
	names := map[int32]string{}
	for lane, o := range offsets[events.TopicEvents] {
		if o.Err == nil {
			names[lane] = o.Metadata
		}
	}
	return names, nil
}

// AnnounceTakeover records that this instance has taken a lane, and reports whether that is recorded. The next owner
// learns from it whom to ask for the lane, and the old one that it has been fenced. It is best effort: the next owner
// otherwise fences without asking, and the old owner learns on its next write.
func (m *Membership) AnnounceTakeover(ctx context.Context, lane int32, laneseq uint64) bool {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{
		Topic: events.TopicEvents, Partition: lane, At: int64(laneseq), LeaderEpoch: -1, Metadata: m.name(),
	})
	err := errUnsettled
	if client := m.connected(); client != nil {
		err = kadm.NewClient(client).CommitAllOffsets(ctx, kafka.GroupOwners(m.cfg.Cluster), offsets)
	}
	if err != nil {
		m.log.WarnContext(ctx, "lane takeover not announced", slog.Int("partition", int(lane)), slog.Any("err", err))
		return false
	}
	return true
}
