package kafka

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/preflight"
)

// topics does what EnsureTopics does, but creates nothing.
func (i inspector) topics(ctx context.Context) []preflight.Finding {
	there, err := list(ctx, i.adm, i.cfg)
	if err != nil {
		return []preflight.Finding{preflight.Failure(i.cfg.advice(err), "%v", err)}
	}
	lanes, err := settleLanes(i.cfg.Lanes, there)
	if err != nil {
		return failures([]error{err})
	}
	problems := checkPartitions(i.cfg, lanes, there)
	if len(there) > 0 {
		wrong, err := checkSettings(ctx, i.adm, i.cfg, i.cfg.Backend(), there)
		if err != nil {
			problems = append(problems, err)
		}
		problems = append(problems, wrong...)
	}
	if len(problems) > 0 {
		return failures(problems)
	}
	var missing []string
	for _, t := range Topics() {
		if _, ok := there[t.Name]; !ok {
			missing = append(missing, t.Name)
		}
	}
	switch {
	case len(there) == 0:
		return []preflight.Finding{preflight.Good("no ledger yet: its topics would be created at start, with %d lanes", lanes)}
	case len(missing) > 0:
		return []preflight.Finding{preflight.Good("%d topics are right, %d lanes; would be created at start: %s", len(there), lanes, strings.Join(missing, ", "))}
	}
	return []preflight.Finding{preflight.Good("%d topics are right, %d lanes", len(there), lanes)}
}

// Copies that let a cluster of three or more lose one broker and go on, without losing a record that was acknowledged.
const (
	safeReplicas = 3
	safeMinISR   = 2
)

// replication looks at how many copies there are, or would be.
func (i inspector) replication(ctx context.Context) []preflight.Finding {
	brokers, err := i.adm.ListBrokers(ctx)
	if err != nil {
		return i.unknown(err)
	}
	if len(brokers) < safeReplicas {
		return []preflight.Finding{preflight.Good("brokers: %d, so the loss of a disk can be the loss of the ledger; production wants three or more", len(brokers))}
	}
	there, err := list(ctx, i.adm, i.cfg)
	if err != nil {
		return i.unknown(err)
	}
	settings, err := settingsOf(ctx, i.adm, there)
	if err != nil {
		return i.unknown(err)
	}
	var findings []preflight.Finding
	judge := func(what string, replicas, minISR int) {
		if replicas < safeReplicas || minISR < safeMinISR {
			findings = append(findings, preflight.Warning(
				fmt.Sprintf("set %s=%d and %s=%d before topics are created; afterwards kafka-reassign-partitions.sh and kafka-configs.sh",
					EnvReplication, safeReplicas, EnvMinISR, safeMinISR),
				"%s: replication %d, min.insync.replicas %d, with %d brokers", what, replicas, minISR, len(brokers)))
		}
	}
	missing := false
	for _, t := range Topics() {
		d, ok := there[t.Name]
		if !ok {
			missing = true
			continue
		}
		minISR, _ := strconv.Atoi(settings[t.Name]["min.insync.replicas"])
		judge("topic "+t.Name, d.Partitions.NumReplicas(), minISR)
	}
	if missing {
		defaults, err := i.brokerSettings(ctx, "default.replication.factor", "min.insync.replicas")
		if err != nil {
			return append(findings, i.unknown(err)...)
		}
		replicas, minISR := int(i.cfg.Replication), i.cfg.MinISR
		if replicas == 0 {
			replicas = int(least(defaults["default.replication.factor"]))
		}
		if minISR == 0 {
			minISR = int(least(defaults["min.insync.replicas"]))
		}
		judge("topics that would be created", replicas, minISR)
	}
	if len(findings) > 0 {
		return findings
	}
	return []preflight.Finding{preflight.Good("%d brokers, every topic has %d copies or more and needs %d", len(brokers), safeReplicas, safeMinISR)}
}

// elections looks for leaders that may be behind: records that were acknowledged would be gone, and their offsets given
// to others.
func (i inspector) elections(ctx context.Context) []preflight.Finding {
	const key = "unclean.leader.election.enable"
	there, err := list(ctx, i.adm, i.cfg)
	if err != nil {
		return i.unknown(err)
	}
	settings, err := settingsOf(ctx, i.adm, there)
	if err != nil {
		return i.unknown(err)
	}
	var findings []preflight.Finding
	for _, t := range []string{events.TopicEvents, events.TopicDecisions, events.TopicInbox} {
		if settings[t][key] == "true" {
			findings = append(findings, preflight.Failure(
				"kafka-configs.sh --alter --entity-type topics --entity-name "+t+" --add-config "+key+"=false",
				"topic %s: %s is true: a replica that is behind may become leader, and acknowledged records are lost", t, key))
		}
	}
	if len(there) < len(Topics()) {
		broker, err := i.brokerSettings(ctx, key)
		if err != nil {
			return append(findings, i.unknown(err)...)
		}
		if slices.Contains(broker[key], "true") {
			findings = append(findings, preflight.Failure("set it to false on every broker",
				"%s is true on a broker: topics that would be created could lose acknowledged records", key))
		}
	}
	if len(findings) > 0 {
		return findings
	}
	return []preflight.Finding{preflight.Good("only replicas that are in sync become leaders")}
}

// How long the brokers should remember groups and transactional ids that are not in use.
const (
	safeOffsets = 30 * days
	safeIDs     = days
)

// retention looks at how long the brokers remember what a program that is stopped comes back to.
func (i inspector) retention(ctx context.Context) []preflight.Finding {
	const offsets, ids = "offsets.retention.minutes", "transactional.id.expiration.ms"
	got, err := i.brokerSettings(ctx, offsets, ids)
	if err != nil {
		return i.unknown(err)
	}
	var findings []preflight.Finding
	short := func(key string, unit, safe time.Duration, loses string) {
		if n := least(got[key]); n > 0 && time.Duration(n)*unit < safe {
			findings = append(findings, preflight.Warning(fmt.Sprintf("set %s=%d on every broker", key, safe/unit), "%s is %d: %s", key, n, loses))
		}
	}
	short(offsets, time.Minute, safeOffsets, "a program that is stopped for longer loses its positions: "+
		"the emitter sends every message again, the projector reads the ledger again")
	short(ids, time.Millisecond, safeIDs, "a lane without traffic for longer is taken over anew at its next write, "+
		"and an owner that slept for longer is refused by other means than its epoch")
	if len(findings) > 0 {
		return findings
	}
	return []preflight.Finding{preflight.Good("positions of groups that are away are kept for %s days, transactional ids for %s",
		strconv.FormatInt(least(got[offsets])/(24*60), 10), time.Duration(least(got[ids]))*time.Millisecond)}
}

// brokerSettings returns the values that the brokers have for each key.
func (i inspector) brokerSettings(ctx context.Context, keys ...string) (map[string][]string, error) {
	brokers, err := i.adm.ListBrokers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list brokers: %w", err)
	}
	// Those that answer are enough: one that is away is told by another check.
	got, err := i.adm.DescribeBrokerConfigs(ctx, brokers.NodeIDs()...)
	if err != nil && len(got) == 0 {
		return nil, fmt.Errorf("describe brokers: %w", err)
	}
	values := map[string][]string{}
	for _, r := range got {
		if r.Err != nil {
			return nil, fmt.Errorf("describe broker %s: %w", r.Name, r.Err)
		}
		for _, c := range r.Configs {
			if slices.Contains(keys, c.Key) {
				values[c.Key] = append(values[c.Key], c.MaybeValue())
			}
		}
	}
	return values, nil
}

// least returns the smallest of whole numbers, or 0 without any.
func least(values []string) int64 {
	var out int64
	for _, v := range values {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && (out == 0 || n < out) {
			out = n
		}
	}
	return out
}
