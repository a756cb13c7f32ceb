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

// ErrNoLedger says that a Kafka has no ledger yet: the events topic does not exist.
var ErrNoLedger = errors.New("no ledger on this kafka yet")

// EnsureTopics creates the missing topics, checks all of them, and returns the number of lanes. It changes nothing that
// exists. Several programs may call it at the same time.
//
// The error joins all problems; each names the topic, what it has, what it should have and what to do.
func EnsureTopics(ctx context.Context, client *kgo.Client, cfg Config, on Backend) (lanes int, err error) {
	adm := kadm.NewClient(client)
	adm.SetTimeoutMillis(int32(cfg.timeout().Milliseconds()))

	existing, err := list(ctx, adm, cfg)
	if err != nil {
		return 0, err
	}
	// The number of lanes is settled before anything is created: a topic with a wrong number of partitions can't be
	// repaired.
	lanes, err = settleLanes(cfg.Lanes, existing)
	if err != nil {
		return 0, err
	}
	for {
		known := len(existing)
		if existing, err = create(ctx, adm, cfg, on, lanes, existing); err != nil {
			return 0, err
		}
		if len(existing) == known {
			break
		}
		// A topic that existed but was not listed may have another number of partitions.
		if lanes, err = settleLanes(cfg.Lanes, existing); err != nil {
			return 0, err
		}
	}
	if existing, err = awaitAll(ctx, adm, cfg, existing); err != nil {
		return 0, err
	}
	if lanes, err = settleLanes(lanes, existing); err != nil {
		return 0, err
	}
	problems := checkPartitions(cfg, lanes, existing)
	wrong, err := checkSettings(ctx, adm, cfg, on, existing)
	if err != nil {
		return 0, err
	}
	return lanes, errors.Join(append(problems, wrong...)...)
}

// Lanes returns the number of lanes of the existing ledger, or ErrNoLedger. It is for programs that only read.
func Lanes(ctx context.Context, client *kgo.Client, cfg Config) (int, error) {
	existing, err := list(ctx, kadm.NewClient(client), cfg)
	if err != nil {
		return 0, err
	}
	if _, ok := existing[events.TopicEvents]; !ok {
		return 0, fmt.Errorf("topic %s: %w", events.TopicEvents, ErrNoLedger)
	}
	return settleLanes(cfg.Lanes, existing)
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
	existing := kadm.TopicDetails{}
	for name, d := range all {
		switch {
		case d.Err == nil && len(d.Partitions) > 0:
			existing[name] = d
		case d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			return nil, fmt.Errorf("list topic %s: %w", name, d.Err)
		}
	}
	return existing, nil
}

// settleLanes returns the number of lanes. The topics that are written in one transaction must agree with one another;
// the others are checked against the result.
func settleLanes(want int, existing kadm.TopicDetails) (int, error) {
	var counts []string
	lanes := want
	agree := true
	for _, name := range []string{events.TopicEvents, events.TopicDecisions, events.TopicInbox} {
		d, ok := existing[name]
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
		expected := "they must be equal"
		if want > 0 {
			expected = fmt.Sprintf("%d lanes are configured", want)
		}
		return 0, fmt.Errorf("lanes: %s partitions, but %s; the number of lanes is fixed when a ledger is created: "+
			"set lanes to the partitions of %s, or, if partitions were added by hand, restore the topics",
			strings.Join(counts, ", "), expected, events.TopicEvents)
	}
	if lanes == 0 {
		lanes = DefaultLanes
	}
	if lanes > MaxLanes {
		return 0, fmt.Errorf("lanes: %d partitions, but a ledger has at most %d lanes", lanes, MaxLanes)
	}
	return lanes, nil
}

// create creates the missing topics. When another program created a lane topic a moment ago, so that it exists but was
// not listed, create stops and returns the list with that topic: its partitions decide the number of lanes.
func create(
	ctx context.Context, adm *kadm.Client, cfg Config, on Backend, lanes int, existing kadm.TopicDetails,
) (kadm.TopicDetails, error) {
	replication := cfg.Replication
	if replication == 0 || on == Embedded {
		replication = -1
	}
	// Topics by return are joined with one another, so a new one takes its partitions from an existing one.
	byReturn := lanes
	for _, t := range Topics() {
		if d, ok := existing[t.Name]; ok && t.Partitioning == ByReturn {
			byReturn = len(d.Partitions)
		}
	}
	var problems []error
	for _, t := range Topics() {
		if _, ok := existing[t.Name]; ok {
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
		// Another program that starts at the same time may be faster; its topics are checked below like all others.
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
	return existing, errors.Join(problems...)
}

// awaitOne lists the topics until the cluster reports one that exists.
func awaitOne(ctx context.Context, adm *kadm.Client, cfg Config, topic string) (kadm.TopicDetails, error) {
	return await(ctx, adm, cfg, func(existing kadm.TopicDetails) bool {
		_, ok := existing[topic]
		return ok
	})
}

// awaitAll lists the topics until each has a leader for every partition: a cluster reports a new topic with a delay.
func awaitAll(
	ctx context.Context, adm *kadm.Client, cfg Config, existing kadm.TopicDetails,
) (kadm.TopicDetails, error) {
	if settled(existing) {
		return existing, nil
	}
	return await(ctx, adm, cfg, settled)
}

func await(
	ctx context.Context, adm *kadm.Client, cfg Config, enough func(kadm.TopicDetails) bool,
) (kadm.TopicDetails, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout())
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		existing, err := list(ctx, adm, cfg)
		if err == nil && enough(existing) {
			return existing, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for the topics to have leaders: %w", ctx.Err()), err)
		}
	}
}

func settled(existing kadm.TopicDetails) bool {
	for _, t := range Topics() {
		d, ok := existing[t.Name]
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

func checkPartitions(cfg Config, lanes int, existing kadm.TopicDetails) []error {
	var problems []error
	byReturn := 0
	for _, t := range Topics() {
		d, ok := existing[t.Name]
		if !ok {
			continue // Only the start-up check runs before all topics exist.
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
				"delete it if it is empty, and it will be created; otherwise move its records to a new one", t.Name, n, want))
		}
		if r := d.Partitions.NumReplicas(); cfg.Replication > 0 && r < int(cfg.Replication) {
			problems = append(problems, fmt.Errorf("topic %s: %d replicas, want %d; "+
				"raise it with kafka-reassign-partitions.sh", t.Name, r, cfg.Replication))
		}
	}
	return problems
}

func checkSettings(
	ctx context.Context, adm *kadm.Client, cfg Config, on Backend, existing kadm.TopicDetails,
) ([]error, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout())
	defer cancel()
	is, err := settingsOf(ctx, adm, existing)
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

// settingsOf returns the settings of topics under Kafka's names. Brokers learn of a new topic one after the other, and
// each request may go to another broker, so it retries an unknown topic until ctx ends.
func settingsOf(
	ctx context.Context, adm *kadm.Client, existing kadm.TopicDetails,
) (map[string]map[string]string, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		settings, err := describe(ctx, adm, existing)
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

func describe(
	ctx context.Context, adm *kadm.Client, existing kadm.TopicDetails,
) (map[string]map[string]string, error) {
	got, err := adm.DescribeTopicConfigs(ctx, existing.Names()...)
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

// compare returns a problem for each setting that would lose or change records. Longer retention or a larger batch does
// no harm.
func compare(t Topic, is, want map[string]string) []error {
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(want)) {
		ok := is[key] == want[key]
		switch key {
		case "segment.bytes":
			ok = true // It affects memory, not safety.
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

// atLeast compares integers. With unlimited, -1 is the largest.
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
