package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// EnsureTopics records the layout of a new ledger, creates the missing topics, checks all of them, and returns the
// layout. It changes nothing that exists. Several programs may call it at the same time.
//
// The error joins all problems; each names the topic, what it has, what it should have and what to do.
func EnsureTopics(ctx context.Context, client *kgo.Client, cfg Config, on Backend) (events.Layout, error) {
	layout, err := EnsureLayout(ctx, client, cfg, on)
	if err != nil {
		return events.Layout{}, err
	}
	adm := kadm.NewClient(client)
	adm.SetTimeoutMillis(int32(cfg.timeout().Milliseconds()))
	existing, err := list(ctx, adm, cfg)
	if err != nil {
		return events.Layout{}, err
	}
	if err := create(ctx, adm, cfg, on, int(layout.Lanes), existing); err != nil {
		return events.Layout{}, err
	}
	if existing, err = awaitAll(ctx, adm, cfg, existing); err != nil {
		return events.Layout{}, err
	}
	return layout, checkTopics(ctx, adm, cfg, on, int(layout.Lanes), existing)
}

// checkTopics returns what is wrong with the topics that exist, joined.
func checkTopics(
	ctx context.Context, adm *kadm.Client, cfg Config, on Backend, lanes int, existing kadm.TopicDetails,
) error {
	problems := checkPartitions(cfg, lanes, existing)
	wrong, err := checkSettings(ctx, adm, cfg, on, existing)
	return errors.Join(append(append(problems, wrong...), err)...)
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

// create creates the missing topics. Another program that starts at the same time may be faster: EnsureTopics checks
// its topics like all others.
func create(
	ctx context.Context, adm *kadm.Client, cfg Config, on Backend, lanes int, existing kadm.TopicDetails,
) error {
	var problems []error
	for _, t := range Topics() {
		if _, ok := existing[t.Name]; ok {
			continue
		}
		err := createTopic(ctx, adm, cfg, on, t, t.Partitions(lanes))
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

func createTopic(ctx context.Context, adm *kadm.Client, cfg Config, on Backend, t Topic, partitions int) error {
	replication := cfg.Replication
	if replication == 0 || on == Embedded {
		replication = -1
	}
	settings := t.Settings(cfg, on)
	for {
		values := map[string]*string{}
		for k, v := range settings {
			values[k] = &v
		}
		step, cancel := context.WithTimeout(ctx, cfg.timeout())
		resp, err := adm.CreateTopic(step, int32(partitions), replication, values, t.Name)
		cancel()
		if err == nil {
			return nil
		}
		// A broker that does not know an optional setting does not enforce what the setting switches off.
		if errors.Is(err, kerr.InvalidConfig) && dropOptional(settings) {
			continue
		}
		if resp.ErrMessage != "" {
			err = fmt.Errorf("%w (%s)", err, resp.ErrMessage)
		}
		return fmt.Errorf("create topic %s: %w", t.Name, err)
	}
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
		if !led(d) {
			return false
		}
	}
	return true
}

// led reports whether every partition has a leader.
func led(d kadm.TopicDetail) bool {
	for _, p := range d.Partitions {
		if p.Leader < 0 {
			return false
		}
	}
	return true
}

// checkPartitions returns a problem for each topic with too few partitions or replicas. More partitions are harmless:
// nothing counts them; see Surplus.
func checkPartitions(cfg Config, lanes int, existing kadm.TopicDetails) []error {
	var problems []error
	for _, t := range Topics() {
		d, ok := existing[t.Name]
		if !ok {
			continue // Only the start-up check runs before all topics exist.
		}
		if n, want := len(d.Partitions), t.Partitions(lanes); n < want {
			problems = append(problems, fmt.Errorf("topic %s: %d partitions, want %d; "+
				"delete it if it is empty, and it will be created; otherwise restore it", t.Name, n, want))
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
	if len(existing) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout())
	defer cancel()
	is, err := settingsOf(ctx, adm, existing)
	if err != nil {
		return nil, err
	}
	judge := func(on Backend) (problems []error) {
		for _, t := range Topics() {
			if settings, ok := is[t.Name]; ok {
				problems = append(problems, compare(t, settings, t.Settings(cfg, on))...)
			}
		}
		return problems
	}
	problems := judge(on)
	if len(problems) > 0 && on == Cluster {
		// Only the program with the transactional ids must have the boot URL. Without it, the settings that an embedded
		// broker needs would count as wrong, and the commands that change them would harm it.
		if brokers, err := adm.BrokerMetadata(ctx); err == nil && brokers.Cluster == EmbeddedClusterID {
			return judge(Embedded), nil
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
		case "compression.type":
			ok = slices.Contains([]string{want[key], "gzip", "uncompressed"}, is[key]) // Clients read these.
		case timestampAfter, timestampBefore:
			_, known := is[key]
			ok = !known || atLeast(is[key], want[key], false)
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
