package ingest

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/kafka"
)

// progress measures how far each part of the ledger has come.
type progress struct {
	admin   *kadm.Client
	cluster string
	lanes   int
	guard   *tablesGuard
}

type progressReport struct {
	// CaughtUp says that every input is decided, readable and pushed.
	CaughtUp bool `json:"caughtUp"`
	// Behind is the number of records that each part has still to handle.
	Behind map[string]int64 `json:"behind"`
	// Lanes has one entry per lane, Endpoints one per endpoint.
	Lanes     []laneProgress   `json:"lanes"`
	Endpoints map[string]int64 `json:"endpoints"`
	// WaitingForReturns is the number of offsets between the oldest notification of an unknown return and the newest that
	// the resolver has examined. Other notifications do not wait for them.
	WaitingForReturns int64 `json:"waitingForReturns"`
	// Tables says why the tables can't be trusted: they lost rows, or another ledger fills them. Empty if they can.
	Tables string `json:"tables,omitempty"`
}

type laneProgress struct {
	Lane int32 `json:"lane"`
	// InboxEnd, EventsEnd and DecisionsEnd are the ends of the topics; the others are the offsets of their readers.
	InboxEnd     int64 `json:"inboxEnd"`
	Decided      int64 `json:"decided"`
	EventsEnd    int64 `json:"eventsEnd"`
	Projected    int64 `json:"projected"`
	DecisionsEnd int64 `json:"decisionsEnd"`
	Shown        int64 `json:"shown"`
	Translated   int64 `json:"translated"`
}

// handle handles GET /progress.
func (g *progress) handle(ctx context.Context, c *httpx.Call) error {
	report, err := g.measure(ctx)
	if err != nil {
		return httpx.Unavailable.New("Kafka did not answer").Because(err).After(retrySoon)
	}
	return c.Respond(report)
}

// measure follows the inputs on their way: it reads the end of each topic after its writer was found to be done.
// Reading all at one moment would miss records between two parts. Notifications of returns go in a loop, because the
// ledger creates aliases and aliases send notifications to the inbox; so it measures the inbox twice.
func (g *progress) measure(ctx context.Context) (progressReport, error) {
	report := progressReport{
		Behind: map[string]int64{}, Endpoints: map[string]int64{}, Lanes: make([]laneProgress, g.lanes),
	}
	for i := range report.Lanes {
		report.Lanes[i].Lane = int32(i)
	}
	cluster := g.cluster
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
	if lost := g.guard.state(ctx); lost != nil {
		report.CaughtUp, report.Tables = false, lost.Error()
	}
	for _, behind := range report.Behind {
		report.CaughtUp = report.CaughtUp && behind == 0
	}
	return report, nil
}

// measureResolver follows the notifications of returns: the aliases that the ledger has still to make, those that the
// resolver has still to read, and the notifications that it has still to examine.
func (g *progress) measureResolver(ctx context.Context, report *progressReport) error {
	report.Behind["resolver"] = 0
	ends, err := writtenEnds(ctx, g.admin, events.TopicUnresolved, g.lanes)
	if err != nil {
		return err
	}
	var total int64
	for _, end := range ends {
		total += end
	}
	if total == 0 {
		return nil // No notification ever needed an alias.
	}
	cluster := g.cluster
	aliases, err := g.behind(ctx, kafka.GroupAliases(cluster), events.TopicEvents, nil)
	if err != nil {
		return err
	}
	read, err := g.behind(ctx, kafka.GroupResolver(cluster), events.TopicAliases, nil)
	if err != nil {
		return err
	}
	// The ends after the offsets, unlike elsewhere: the resolver passes a new return on to the partition of its next order
	// item, and with ends from before that, neither partition would have it.
	offsets, err := committedOffsets(ctx, g.admin, kafka.GroupResolver(cluster), events.TopicUnresolved)
	if err != nil {
		return err
	}
	if ends, err = writtenEnds(ctx, g.admin, events.TopicUnresolved, g.lanes); err != nil {
		return err
	}
	behind := aliases + read
	for p, end := range ends {
		o := offsets[p]
		behind += max(end-examined(o), 0)
		report.WaitingForReturns += max(examined(o)-max(o.At, 0), 0)
	}
	report.Behind["resolver"] = behind
	return nil
}

// measureEmitter follows translation, and each endpoint that has ever committed an offset.
func (g *progress) measureEmitter(ctx context.Context, report *progressReport) error {
	report.Behind["translate"], report.Behind["endpoints"] = 0, 0
	prefix := kafka.GroupEndpoint(g.cluster, "")
	groups, err := g.admin.ListGroups(ctx)
	if err != nil {
		return fmt.Errorf("list groups: %w", err)
	}
	if _, found := groups[kafka.GroupTranslate(g.cluster)]; !found {
		return nil // There is no emitter.
	}
	translate, err := g.behind(ctx, kafka.GroupTranslate(g.cluster), events.TopicEvents, func(lane int32, _, at int64) {
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

// behind returns how many records of a topic a group has still to read. A partition without a commit counts from its
// start.
func (g *progress) behind(
	ctx context.Context, group, topic string, each func(partition int32, end, at int64),
) (int64, error) {
	ends, err := writtenEnds(ctx, g.admin, topic, g.lanes)
	if err != nil {
		return 0, err
	}
	offsets, err := committedOffsets(ctx, g.admin, group, topic)
	if err != nil {
		return 0, err
	}
	var sum int64
	for p, end := range ends {
		at := max(offsets[p].At, 0)
		sum += max(end-at, 0)
		if each != nil {
			each(p, end, at)
		}
	}
	return sum, nil
}
