package ingest

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// progressReport says how far each part of the ledger has come.
type progressReport struct {
	// CaughtUp says that every input there was is decided, readable and pushed.
	CaughtUp bool `json:"caughtUp"`
	// Behind is how many records each part has before it.
	Behind map[string]int64 `json:"behind"`
	// Lanes has one line per lane, Endpoints one per endpoint.
	Lanes     []laneProgress   `json:"lanes"`
	Endpoints map[string]int64 `json:"endpoints"`
	// WaitingForReturns is how many positions lie between the oldest notification whose return is not known and the
	// newest that was looked at. It holds nothing up.
	WaitingForReturns int64 `json:"waitingForReturns"`
}

type laneProgress struct {
	Lane int32 `json:"lane"`
	// Each is the end of a topic and how far its readers are.
	InboxEnd     int64 `json:"inboxEnd"`
	Decided      int64 `json:"decided"`
	EventsEnd    int64 `json:"eventsEnd"`
	Projected    int64 `json:"projected"`
	DecisionsEnd int64 `json:"decisionsEnd"`
	Shown        int64 `json:"shown"`
	Translated   int64 `json:"translated"`
}

// progress handles GET /progress.
func (g *Ingest) progress(ctx context.Context, c *call) error {
	report, err := g.measure(ctx)
	if err != nil {
		return newProblem(problemUnavailable, "Kafka did not answer").because(err).retryAfter(retrySoon)
	}
	return c.respond(report)
}

// measure follows the inputs on their way. Each part is asked about what the part before it had already written when it
// was found to be done; asking about all at one moment would miss what is between two of them. Notifications of returns
// go round: the ledger makes aliases, aliases lead to the inbox, so the inbox is looked at twice.
func (g *Ingest) measure(ctx context.Context) (progressReport, error) {
	report := progressReport{Behind: map[string]int64{}, Endpoints: map[string]int64{}, Lanes: make([]laneProgress, g.cfg.Lanes)}
	for i := range report.Lanes {
		report.Lanes[i].Lane = int32(i)
	}
	cluster := g.cfg.Cluster
	inbox := func() error {
		behind, err := g.behind(ctx, kafka.GroupInbox(cluster), events.TopicInbox, func(lane int32, end, at int64) {
			report.Lanes[lane].InboxEnd, report.Lanes[lane].Decided = end, at
		})
		report.Behind["inbox"] = behind
		return err
	}
	steps := []func() error{
		inbox,
		func() error { return g.measureResolver(ctx, &report) },
		inbox,
		func() error {
			behind, err := g.behind(ctx, kafka.GroupProjector(cluster), events.TopicEvents, func(lane int32, end, at int64) {
				report.Lanes[lane].EventsEnd, report.Lanes[lane].Projected = end, at
			})
			report.Behind["projector"] = behind
			return err
		},
		func() error {
			behind, err := g.behind(ctx, kafka.GroupProjector(cluster), events.TopicDecisions, func(lane int32, end, at int64) {
				report.Lanes[lane].DecisionsEnd, report.Lanes[lane].Shown = end, at
			})
			report.Behind["projector"] += behind
			return err
		},
		func() error { return g.measureEmitter(ctx, &report) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return report, err
		}
	}
	report.CaughtUp = true
	for _, behind := range report.Behind {
		report.CaughtUp = report.CaughtUp && behind == 0
	}
	return report, nil
}

// measureResolver looks at the way of a return's notification: the aliases that the ledger makes known, and those that
// the resolver has read; then what it has looked at.
func (g *Ingest) measureResolver(ctx context.Context, report *progressReport) error {
	report.Behind["resolver"] = 0
	ends, err := g.ends(ctx, events.TopicUnresolved)
	if err != nil {
		return err
	}
	var any int64
	for _, end := range ends {
		any += end
	}
	if any == 0 {
		return nil // Nobody has ever waited: what aliases there are does not matter.
	}
	cluster := g.cfg.Cluster
	aliases, err := g.behind(ctx, kafka.GroupAliases(cluster), events.TopicEvents, nil)
	if err != nil {
		return err
	}
	read, err := g.behind(ctx, kafka.GroupResolver(cluster), events.TopicAliases, nil)
	if err != nil {
		return err
	}
	if ends, err = g.ends(ctx, events.TopicUnresolved); err != nil {
		return err
	}
	offsets, err := committed(ctx, g.admin, kafka.GroupResolver(cluster), events.TopicUnresolved)
	if err != nil {
		return err
	}
	behind := aliases + read
	for p, end := range ends {
		o := offsets[p]
		examined, err := strconv.ParseInt(o.Metadata, 10, 64)
		if err != nil {
			examined = max(o.At, 0)
		}
		behind += max(end-examined, 0)
		report.WaitingForReturns += max(examined-max(o.At, 0), 0)
	}
	report.Behind["resolver"] = behind
	return nil
}

// measureEmitter looks at translation and at each endpoint that has ever committed a position.
func (g *Ingest) measureEmitter(ctx context.Context, report *progressReport) error {
	report.Behind["translate"], report.Behind["endpoints"] = 0, 0
	prefix := kafka.GroupEndpoint(g.cfg.Cluster, "")
	groups, err := g.admin.ListGroups(ctx)
	if err != nil {
		return fmt.Errorf("list groups: %w", err)
	}
	if _, there := groups[kafka.GroupTranslate(g.cfg.Cluster)]; !there {
		return nil // Nobody emits.
	}
	translate, err := g.behind(ctx, kafka.GroupTranslate(g.cfg.Cluster), events.TopicEvents, func(lane int32, _, at int64) {
		report.Lanes[lane].Translated = at
	})
	if err != nil {
		return err
	}
	report.Behind["translate"] = translate
	for _, group := range groups.Groups() {
		if !strings.HasPrefix(group, prefix) {
			continue
		}
		behind, err := g.behind(ctx, group, events.TopicSuborders, nil)
		if err != nil {
			return err
		}
		report.Endpoints[strings.TrimPrefix(group, prefix)] = behind
		report.Behind["endpoints"] += behind
	}
	return nil
}

// behind is how many records of a topic a group has before it. A partition it has committed nothing for is whole before
// it.
func (g *Ingest) behind(ctx context.Context, group, topic string, each func(partition int32, end, at int64)) (int64, error) {
	ends, err := g.ends(ctx, topic)
	if err != nil {
		return 0, err
	}
	offsets, err := committed(ctx, g.admin, group, topic)
	if err != nil {
		return 0, err
	}
	var sum int64
	for p, end := range ends {
		at := max(offsets[p].At, 0)
		sum += max(end-at, 0)
		if each != nil && int(p) < g.cfg.Lanes {
			each(p, end, at)
		}
	}
	return sum, nil
}

// ends are the ends of a topic's partitions, as readers of committed records see them.
func (g *Ingest) ends(ctx context.Context, topic string) (map[int32]int64, error) {
	listed, err := g.admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", topic, err)
	}
	out := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { out[o.Partition] = o.Offset })
	return out, nil
}
