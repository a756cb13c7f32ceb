package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// Owner is the instance that should be asked about a lane.
type Owner struct {
	// URL is its Config.Advertise; empty when it can't be reached.
	URL string
	// Self says that it is this instance.
	Self bool
}

// owners is what the group last told of who should own which lane. It may be wrong at any time, which costs a detour:
// who is asked in vain says so, and the group is asked again.
type owners struct {
	mu     sync.Mutex
	of     map[int32]Owner     // Guarded by mu.
	asked  time.Time           // When the question was put that the group last answered; guarded by mu.
	tried  time.Time           // When it was last asked; guarded by mu.
	wrong  map[int32]time.Time // When an entry proved wrong; guarded by mu.
	err    error               // Why it did not answer the last time; guarded by mu.
	asking chan struct{}       // Closed when the question on its way is answered; nil for none. Guarded by mu.
}

// askOwnersEvery is how often the group is asked at most, whoever wants to know.
const askOwnersEvery = 25 * time.Millisecond

// Owner returns who should be asked about a lane: this instance where it serves the lane and has not proved wrong,
// otherwise the one to which the group assigns it. The group is asked when nothing is known or what is known proved
// wrong, for all callers at once. While there is no owner it waits inside ctx.
func (j *Journal) Owner(ctx context.Context, lane int32) (Owner, error) {
	if lane < 0 || int(lane) >= j.cfg.Lanes {
		return Owner{}, fmt.Errorf("owner of lane %d: %w: there are %d", lane, ErrInvalid, j.cfg.Lanes)
	}
	t := &j.owners
	for {
		t.mu.Lock()
		wrong, doubted := t.wrong[lane]
		owner, known := t.of[lane]
		fresh := !doubted || t.asked.After(wrong)
		due := time.Until(t.tried.Add(askOwnersEvery))
		t.mu.Unlock()
		switch {
		case fresh && doubted && known && !owner.Self: // It has been asked since: also where it is served here still.
			return owner, nil
		case fresh && j.serving(lane) != nil:
			return Owner{URL: j.cfg.Advertise, Self: true}, nil
		case fresh && known && !owner.Self: // What was here and is not served any more has another owner, or will have.
			return owner, nil
		}
		wait(ctx, due)
		if ctx.Err() != nil {
			return Owner{}, fmt.Errorf("owner of lane %d: %w: %w", lane, ErrLaneMoving, errors.Join(ctx.Err(), j.whyUntold()))
		}
		j.askOwners(ctx)
		if j.toldSince(wrong) {
			continue
		}
		// The group is in the middle of a rebalance. Until it says better, who had the lane may have it still.
		switch {
		case j.serving(lane) != nil:
			return Owner{URL: j.cfg.Advertise, Self: true}, nil
		case known && !owner.Self:
			return owner, nil
		}
	}
}

// trust forgets what was held against this instance's own lanes: they have come to it anew.
func (t *owners) trust(lanes []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, lane := range lanes {
		delete(t.wrong, lane)
	}
}

func (j *Journal) toldSince(since time.Time) bool {
	j.owners.mu.Lock()
	defer j.owners.mu.Unlock()
	return j.owners.asked.After(since)
}

func (j *Journal) whyUntold() error {
	j.owners.mu.Lock()
	defer j.owners.mu.Unlock()
	return j.owners.err
}

// OwnerWrong says that an answer of Owner proved wrong: it did not own the lane, or could not be reached. The next
// Owner of this lane asks the group.
func (j *Journal) OwnerWrong(lane int32, was Owner) {
	t := &j.owners
	t.mu.Lock()
	defer t.mu.Unlock()
	if now, known := t.of[lane]; known && now != was && !was.Self {
		return // It has been corrected meanwhile.
	}
	if t.wrong == nil {
		t.wrong = map[int32]time.Time{}
	}
	t.wrong[lane] = time.Now()
}

// askOwners asks the group, unless somebody does already, and returns when there is an answer or none came.
func (j *Journal) askOwners(ctx context.Context) {
	t := &j.owners
	t.mu.Lock()
	asking := t.asking
	if asking == nil {
		asking = make(chan struct{})
		t.asking, t.tried = asking, time.Now()
		// It outlives this caller: others wait for the answer too.
		go j.fetchOwners(context.WithoutCancel(ctx), asking)
	}
	t.mu.Unlock()
	select {
	case <-asking:
	case <-ctx.Done():
	}
}

// askTimeout bounds one question to the group.
const askTimeout = 2 * time.Second

func (j *Journal) fetchOwners(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	began := time.Now()
	g, err := j.describeGroup(ctx)
	me := j.member()
	t := &j.owners
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asking = nil
	close(done)
	if t.err = err; err != nil {
		return
	}
	if t.of == nil {
		t.of = map[int32]Owner{}
	}
	before := t.asked
	for i := range g.Members {
		m := &g.Members[i]
		owner := Owner{URL: advertised(m), Self: m.MemberID == me && me != ""}
		for _, lane := range assignedLanes(m) {
			// Whom the group names may be reading the lane still, while the last owner serves it. So an owner is believed until
			// it proves wrong.
			if old, known := t.of[lane]; known && !old.Self && !t.wrong[lane].After(before) {
				continue
			}
			t.of[lane] = owner
		}
	}
	// A lane that nobody has keeps its last owner, which may serve it until it has another.
	t.asked = began
}

// errUnsettled says that the group is in a rebalance, or that nobody is in it.
var errUnsettled = errors.New("the owners' group is not settled")

// describeGroup returns the owners' group, if it is settled.
func (j *Journal) describeGroup(ctx context.Context) (*kadm.DescribedGroup, error) {
	client := j.asker()
	if client == nil {
		return nil, errUnsettled
	}
	group := kafka.GroupLanes(j.cfg.Cluster)
	described, err := kadm.NewClient(client).DescribeGroups(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("describe the owners' group: %w", err)
	}
	g := described[group]
	if g.Err != nil {
		return nil, fmt.Errorf("describe the owners' group: %w", g.Err)
	}
	if g.State != "Stable" {
		return &g, errUnsettled
	}
	return &g, nil
}

// asker is the client for questions, nil before Run has made it.
func (j *Journal) asker() *kgo.Client {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.client
}

// member is this instance's id in the group; empty outside it.
func (j *Journal) member() string {
	j.mu.Lock()
	group := j.group
	j.mu.Unlock()
	if group == nil {
		return ""
	}
	id, _ := group.GroupMetadata()
	return id
}

func assignedLanes(m *kadm.DescribedGroupMember) []int32 {
	a, ok := m.Assigned.AsConsumer()
	if !ok {
		return nil
	}
	for _, t := range a.Topics {
		if t.Topic == events.TopicEvents {
			return t.Partitions
		}
	}
	return nil
}

// advertiser is the cooperative sticky balancer of the group whose members say in their metadata how other instances
// reach them. What the balancer itself needs comes first in the user data, and it does not look behind that.
type advertiser struct {
	kgo.GroupBalancer
	url string
}

// urlMark stands between the balancer's own user data and the URL.
const urlMark = "\x00orderledger-url:"

// JoinGroupMetadata implements kgo.GroupBalancer.
func (a advertiser) JoinGroupMetadata(topics []string, assigned map[string][]int32, generation int32) []byte {
	raw := a.GroupBalancer.JoinGroupMetadata(topics, assigned, generation)
	if a.url == "" {
		return raw
	}
	meta := kmsg.NewConsumerMemberMetadata()
	if err := meta.ReadFrom(raw); err != nil {
		return raw // Then others can't reach this one, and it can still own lanes.
	}
	meta.UserData = append(append(meta.UserData, urlMark...), a.url...)
	return meta.AppendTo(nil)
}

func advertised(m *kadm.DescribedGroupMember) string {
	meta, ok := m.Join.AsConsumer()
	if !ok {
		return ""
	}
	_, url, _ := bytes.Cut(meta.UserData, []byte(urlMark))
	return string(url)
}

// anonymous starts the mark of an instance that can't be reached.
const anonymous = "anonymous/"

// mark is what this instance leaves at the lanes it takes: its URL, or something that is no other instance's.
func (j *Journal) mark() string {
	if j.cfg.Advertise != "" {
		return j.cfg.Advertise
	}
	return anonymous + j.nonce
}

// lastTaker returns the URL of the instance that last took a lane, empty when that is not known or was this one. It may
// serve the lane still, though the group has forgotten it.
func (j *Journal) lastTaker(ctx context.Context, lane int32) (string, error) {
	marks, err := j.lastTakers(ctx)
	if mark := marks[lane]; mark != j.mark() && !strings.HasPrefix(mark, anonymous) {
		return mark, err
	}
	return "", err
}

// lastTakers returns the marks of those who last took lanes.
func (j *Journal) lastTakers(ctx context.Context) (map[int32]string, error) {
	offsets, err := kadm.NewClient(j.client).FetchOffsets(ctx, kafka.GroupOwners(j.cfg.Cluster))
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("last owners of lanes: %w", err)
	}
	marks := map[int32]string{}
	for lane, o := range offsets[events.TopicEvents] {
		if o.Err == nil {
			marks[lane] = o.Metadata
		}
	}
	return marks, nil
}

// tellTaken lets the next owner of a lane know whom to ask for it, and the last one that it has been fenced. It is a
// courtesy: without it the one is fenced, and the other finds out when it writes.
func (j *Journal) tellTaken(ctx context.Context, lane int32, laneseq uint64) bool {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{
		Topic: events.TopicEvents, Partition: lane, At: int64(laneseq), LeaderEpoch: -1, Metadata: j.mark(),
	})
	if err := kadm.NewClient(j.client).CommitAllOffsets(ctx, kafka.GroupOwners(j.cfg.Cluster), offsets); err != nil {
		j.log.WarnContext(ctx, "taking of a lane not told", slog.Int("partition", int(lane)), slog.Any("err", err))
		return false
	}
	return true
}
