package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// ErrNoLedger says that a Kafka has no ledger yet: its events topic is not there.
var ErrNoLedger = errors.New("there is no ledger on this kafka yet")

// EnsureTopics creates the topics that are missing, checks all of them, and returns the number of lanes. It alters
// nothing that exists. Several programs may call it at once.
//
// The error joins every problem found; each names the topic, what is there, what is wanted and what to do.
func EnsureTopics(ctx context.Context, client *kgo.Client, cfg Config, on Backend) (lanes int, err error) {
	adm := kadm.NewClient(client)
	adm.SetTimeoutMillis(int32(cfg.timeout().Milliseconds()))

	there, err := list(ctx, adm, cfg)
	if err != nil {
		return 0, err
	}
	// Lanes are settled before anything is created: a topic created with the wrong number could not be mended.
	lanes, err = settleLanes(cfg.Lanes, there)
	if err != nil {
		return 0, err
	}
	for {
		known := len(there)
		if there, err = create(ctx, adm, cfg, on, lanes, there); err != nil {
			return 0, err
		}
		if len(there) == known {
			break
		}
		// One that was there unseen may say another number.
		if lanes, err = settleLanes(cfg.Lanes, there); err != nil {
			return 0, err
		}
	}
	if there, err = awaitAll(ctx, adm, cfg, there); err != nil {
		return 0, err
	}
	if lanes, err = settleLanes(lanes, there); err != nil {
		return 0, err
	}
	problems := checkPartitions(cfg, lanes, there)
	wrong, err := checkSettings(ctx, adm, cfg, on, there)
	if err != nil {
		return 0, err
	}
	return lanes, errors.Join(append(problems, wrong...)...)
}

// Lanes returns the number of lanes of the ledger that is there, or ErrNoLedger. It is for programs that only read.
func Lanes(ctx context.Context, client *kgo.Client, cfg Config) (int, error) {
	there, err := list(ctx, kadm.NewClient(client), cfg)
	if err != nil {
		return 0, err
	}
	if _, ok := there[events.TopicEvents]; !ok {
		return 0, fmt.Errorf("topic %s: %w", events.TopicEvents, ErrNoLedger)
	}
	return settleLanes(cfg.Lanes, there)
}

// list returns those of our topics that exist.
func list(ctx context.Context, adm *kadm.Client, cfg Config) (kadm.TopicDetails, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout())
	defer cancel()
	var names []string
	for _, t := range Topics() {
		names = append(names, t.Name)
	}
	all, err := adm.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	there := kadm.TopicDetails{}
	for name, d := range all {
		switch {
		case d.Err == nil && len(d.Partitions) > 0:
			there[name] = d
		case d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			return nil, fmt.Errorf("list topic %s: %w", name, d.Err)
		}
	}
	return there, nil
}

// settleLanes counts the lanes once. The topics that are written in one transaction must agree with one another; the
// others are checked against the result.
func settleLanes(want int, there kadm.TopicDetails) (int, error) {
	var counts []string
	lanes := want
	agree := true
	for _, name := range []string{events.TopicEvents, events.TopicDecisions, events.TopicInbox} {
		d, ok := there[name]
		if !ok {
			continue
		}
		n := len(d.Partitions)
		counts = append(counts, fmt.Sprintf("%s has %d", name, n))
		if lanes == 0 {
			lanes = n
		}
		agree = agree && n == lanes
	}
	if !agree {
		wanted := "they must be equal"
		if want > 0 {
			wanted = fmt.Sprintf("%d lanes are configured", want)
		}
		return 0, fmt.Errorf("lanes: %s partitions, but %s; the number of lanes is fixed when a ledger is created: "+
			"set lanes to what orders.events has, or, if partitions were added by hand, restore the topics", strings.Join(counts, ", "), wanted)
	}
	if lanes == 0 {
		lanes = DefaultLanes
	}
	if lanes > MaxLanes {
		return 0, fmt.Errorf("lanes: %d partitions, but a ledger has at most %d lanes", lanes, MaxLanes)
	}
	return lanes, nil
}

// create makes what is missing. When it meets a topic that counts lanes, exists and was not listed, because it was made
// a moment ago by somebody else and the cluster tells of it late, it stops there and returns the list with that topic.
func create(ctx context.Context, adm *kadm.Client, cfg Config, on Backend, lanes int, there kadm.TopicDetails) (kadm.TopicDetails, error) {
	replication := cfg.Replication
	if replication == 0 || on == Embedded {
		replication = -1
	}
	// A topic by return is joined with its sibling, so it follows one that is there already.
	byReturn := lanes
	for _, t := range Topics() {
		if d, ok := there[t.Name]; ok && t.Partitioning == ByReturn {
			byReturn = len(d.Partitions)
		}
	}
	var problems []error
	for _, t := range Topics() {
		if _, ok := there[t.Name]; ok {
			continue
		}
		partitions := t.Partitions(lanes)
		if t.Partitioning == ByReturn {
			partitions = byReturn
		}
		settings := map[string]*string{}
		for k, v := range t.Settings(cfg, on) {
			settings[k] = &v
		}
		step, cancel := context.WithTimeout(ctx, cfg.timeout())
		resp, err := adm.CreateTopic(step, int32(partitions), replication, settings, t.Name)
		cancel()
		// Another program that starts at the same time may be faster; what it made is checked below like any other.
		if errors.Is(err, kerr.TopicAlreadyExists) && t.Partitioning == ByLane {
			return awaitOne(ctx, adm, cfg, t.Name)
		}
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			if resp.ErrMessage != "" {
				err = fmt.Errorf("%w (%s)", err, resp.ErrMessage)
			}
			problems = append(problems, fmt.Errorf("create topic %s: %w", t.Name, err))
		}
	}
	return there, errors.Join(problems...)
}

// awaitOne lists until a topic that exists is told of.
func awaitOne(ctx context.Context, adm *kadm.Client, cfg Config, topic string) (kadm.TopicDetails, error) {
	return await(ctx, adm, cfg, func(there kadm.TopicDetails) bool {
		_, ok := there[topic]
		return ok
	})
}

// awaitAll lists until every topic is known with a leader for each partition: a cluster tells of a new topic only after
// a moment.
func awaitAll(ctx context.Context, adm *kadm.Client, cfg Config, there kadm.TopicDetails) (kadm.TopicDetails, error) {
	if settled(there) {
		return there, nil
	}
	return await(ctx, adm, cfg, settled)
}

func await(ctx context.Context, adm *kadm.Client, cfg Config, enough func(kadm.TopicDetails) bool) (kadm.TopicDetails, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout())
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		there, err := list(ctx, adm, cfg)
		if err == nil && enough(there) {
			return there, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for the topics to have leaders: %w", ctx.Err()), err)
		}
	}
}

func settled(there kadm.TopicDetails) bool {
	for _, t := range Topics() {
		d, ok := there[t.Name]
		if !ok {
			return false
		}
		for _, p := range d.Partitions {
			if p.Leader < 0 {
				return false
			}
		}
	}
	return true
}

func checkPartitions(cfg Config, lanes int, there kadm.TopicDetails) []error {
	var problems []error
	byReturn := 0
	for _, t := range Topics() {
		d, ok := there[t.Name]
		if !ok {
			continue // Only a check before the start sees that.
		}
		n, want := len(d.Partitions), t.Partitions(lanes)
		if t.Partitioning == ByReturn {
			// These need not match the lanes, only each other.
			if byReturn == 0 {
				byReturn = n
			}
			want = byReturn
		}
		if n != want {
			problems = append(problems, fmt.Errorf("topic %s: %d partitions, want %d; "+
				"delete it if it is empty and it will be created, otherwise move its records to a new one", t.Name, n, want))
		}
		if r := d.Partitions.NumReplicas(); cfg.Replication > 0 && r < int(cfg.Replication) {
			problems = append(problems, fmt.Errorf("topic %s: %d replicas, want %d; raise it with kafka-reassign-partitions", t.Name, r, cfg.Replication))
		}
	}
	return problems
}

func checkSettings(ctx context.Context, adm *kadm.Client, cfg Config, on Backend, there kadm.TopicDetails) ([]error, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout())
	defer cancel()
	is, err := settingsOf(ctx, adm, there)
	if err != nil {
		return nil, err
	}
	var problems []error
	for _, t := range Topics() {
		if settings, ok := is[t.Name]; ok {
			problems = append(problems, compare(t, settings, t.Settings(cfg, on))...)
		}
	}
	return problems, nil
}

// settingsOf returns the settings of those topics, in Kafka's own names. A topic that was just created is known to one
// broker before another, and each question may go to another one, so it asks until ctx ends.
func settingsOf(ctx context.Context, adm *kadm.Client, there kadm.TopicDetails) (map[string]map[string]string, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		settings, err := describe(ctx, adm, there)
		if !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return settings, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

func describe(ctx context.Context, adm *kadm.Client, there kadm.TopicDetails) (map[string]map[string]string, error) {
	got, err := adm.DescribeTopicConfigs(ctx, there.Names()...)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	settings := map[string]map[string]string{}
	for _, r := range got {
		if r.Err != nil {
			return nil, fmt.Errorf("describe topic %s: %w", r.Name, r.Err)
		}
		settings[r.Name] = map[string]string{}
		for _, c := range r.Configs {
			settings[r.Name][c.Key] = c.MaybeValue()
		}
	}
	return settings, nil
}

// compare returns a problem for each setting that would lose or change records. More retention or a larger batch than
// wanted harms nothing.
func compare(t Topic, is, want map[string]string) []error {
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(want)) {
		ok := is[key] == want[key]
		switch key {
		case "segment.bytes":
			ok = true // A matter of memory, not of safety.
		case "max.message.bytes", "min.insync.replicas":
			ok = atLeast(is[key], want[key], false)
		case "retention.ms", "retention.bytes":
			ok = atLeast(is[key], want[key], true)
		}
		if !ok {
			problems = append(problems, fmt.Errorf("topic %s: %s is %q, want %q; "+
				"kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%s",
				t.Name, key, is[key], want[key], t.Name, key, want[key]))
		}
	}
	return problems
}

// atLeast compares whole numbers; where unlimited is set, -1 is the largest.
func atLeast(is, want string, unlimited bool) bool {
	i, err := strconv.ParseInt(is, 10, 64)
	w, err2 := strconv.ParseInt(want, 10, 64)
	if err != nil || err2 != nil {
		return false
	}
	if unlimited && (i < 0 || w < 0) {
		return i < 0
	}
	return i >= w
}
