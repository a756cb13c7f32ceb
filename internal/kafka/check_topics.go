package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/preflight"
)

// topics runs the checks of EnsureTopics and creates nothing.
func (i inspector) topics(ctx context.Context) []preflight.Finding {
	existing, err := list(ctx, i.adm, i.cfg)
	if err != nil {
		return []preflight.Finding{preflight.Failure(i.cfg.advice(err), "%v", err)}
	}
	lanes, err := i.lanes(ctx, existing)
	if err != nil {
		wrong, _ := checkSettings(ctx, i.adm, i.cfg, i.cfg.Backend(), existing) // Beside the reason that counts.
		return failures(append(flatten(err), wrong...))
	}
	if err := checkTopics(ctx, i.adm, i.cfg, i.cfg.Backend(), lanes, existing); err != nil {
		return failures(flatten(err))
	}
	var missing []string
	for _, t := range Topics() {
		if _, ok := existing[t.Name]; !ok {
			missing = append(missing, t.Name)
		}
	}
	would := "this program waits until ingest creates them"
	if i.uses.Creates {
		would = "would be created at start"
	}
	switch {
	case len(existing) == 0:
		return []preflight.Finding{preflight.Good("no ledger yet; %d topics with %d lanes: %s", len(missing), lanes, would)}
	case len(missing) > 0:
		return []preflight.Finding{preflight.Good("%d topics are correct, %d lanes; missing: %s; %s",
			len(existing), lanes, strings.Join(missing, ", "), would)}
	}
	return []preflight.Finding{preflight.Good("%d topics are correct, %d lanes", len(existing), lanes)}
}

// lanes returns the number of lanes that the ledger has, or would have.
func (i inspector) lanes(ctx context.Context, existing kadm.TopicDetails) (int, error) {
	layout, err := ReadLayout(ctx, i.client, i.cfg)
	if !errors.Is(err, ErrNoLedger) {
		return int(layout.Lanes), err
	}
	filled, err := withRecords(ctx, i.adm, i.cfg, existing)
	if err != nil {
		return 0, err
	}
	return int(newLayout(i.cfg).Lanes), mayRecord(i.cfg, existing, filled)
}

// surplus looks for records that no program reads.
func (i inspector) surplus(ctx context.Context) []preflight.Finding {
	layout, err := ReadLayout(ctx, i.client, i.cfg)
	if err != nil {
		return []preflight.Finding{preflight.Good("no ledger yet")}
	}
	found, err := surplusOf(ctx, i.adm, i.cfg, int(layout.Lanes))
	if err != nil {
		return i.unknown(err)
	}
	var findings []preflight.Finding
	for _, s := range found {
		if s.Records > 0 {
			findings = append(findings, preflight.Failure(
				"find the producer that does not name the partition, and write its records again as the ledger expects them",
				"topic %s: %d records in its partitions from %d on, which nobody reads", s.Topic, s.Records, s.First))
			continue
		}
		findings = append(findings, preflight.Warning(
			"nothing; the number of lanes stays what it was when the ledger was created",
			"topic %s: %d more partitions than the ledger uses", s.Topic, s.Partitions))
	}
	if len(findings) == 0 {
		return []preflight.Finding{preflight.Good("every topic has the partitions of %d lanes", layout.Lanes)}
	}
	return findings
}

// Replicas with which a cluster of three or more brokers survives the loss of one and loses no acknowledged record.
const (
	safeReplicas = 3
	safeMinISR   = 2
)

// replication checks how many replicas the topics have, or would have.
func (i inspector) replication(ctx context.Context) []preflight.Finding {
	brokers, err := i.adm.ListBrokers(ctx)
	if err != nil {
		return i.unknown(err)
	}
	if len(brokers) < safeReplicas {
		return []preflight.Finding{preflight.Good(
			"brokers: %d, so the loss of a disk can be the loss of the ledger; production needs three or more", len(brokers))}
	}
	existing, err := list(ctx, i.adm, i.cfg)
	if err != nil {
		return i.unknown(err)
	}
	settings, err := settingsOf(ctx, i.adm, existing)
	if err != nil {
		return i.unknown(err)
	}
	var findings []preflight.Finding
	judge := func(what string, replicas, minISR int) {
		if replicas < safeReplicas || minISR < safeMinISR {
			findings = append(findings, preflight.Warning(
				fmt.Sprintf("set %s=%d and %s=%d before topics are created, "+
					"or use kafka-reassign-partitions.sh and kafka-configs.sh",
					EnvReplication, safeReplicas, EnvMinISR, safeMinISR),
				"%s: replication %d, min.insync.replicas %d, with %d brokers", what, replicas, minISR, len(brokers)))
		}
	}
	missing := false
	for _, t := range Topics() {
		d, ok := existing[t.Name]
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
	return []preflight.Finding{preflight.Good(
		"%d brokers; every topic has at least %d replicas, %d of them in sync for a write",
		len(brokers), safeReplicas, safeMinISR)}
}

// elections checks that no replica that is out of sync may become leader: acknowledged records would be gone, and other
// records would take their offsets.
func (i inspector) elections(ctx context.Context) []preflight.Finding {
	const key = "unclean.leader.election.enable"
	existing, err := list(ctx, i.adm, i.cfg)
	if err != nil {
		return i.unknown(err)
	}
	settings, err := settingsOf(ctx, i.adm, existing)
	if err != nil {
		return i.unknown(err)
	}
	var findings []preflight.Finding
	for _, t := range []string{events.TopicEvents, events.TopicDecisions, events.TopicInbox} {
		if settings[t][key] == "true" {
			findings = append(findings, preflight.Failure(
				"kafka-configs.sh --alter --entity-type topics --entity-name "+t+" --add-config "+key+"=false",
				"topic %s: %s is true: a replica that is behind may become leader, and acknowledged records are lost",
				t, key))
		}
	}
	if len(existing) < len(Topics()) {
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
	return []preflight.Finding{preflight.Good("only in-sync replicas become leaders")}
}

// How long the brokers should keep the offsets of groups, and transactional ids, that are not in use.
const (
	safeOffsets = 30 * days
	safeIDs     = days
)

// retention checks how long the brokers keep the state that a stopped program comes back to.
func (i inspector) retention(ctx context.Context) []preflight.Finding {
	const offsets, ids = "offsets.retention.minutes", "transactional.id.expiration.ms"
	got, err := i.brokerSettings(ctx, offsets, ids)
	if err != nil {
		return i.unknown(err)
	}
	var findings []preflight.Finding
	short := func(key string, unit, safe time.Duration, loses string) {
		if n := least(got[key]); n > 0 && time.Duration(n)*unit < safe {
			findings = append(findings,
				preflight.Warning(fmt.Sprintf("set %s=%d on every broker", key, safe/unit), "%s is %d: %s", key, n, loses))
		}
	}
	short(offsets, time.Minute, safeOffsets, "a program that is stopped for longer loses its offsets: "+
		"the emitter sends every message again, the projector reads the ledger again")
	short(ids, time.Millisecond, safeIDs, "a lane that is idle for longer is taken over again at its next write, "+
		"and the epoch no longer fences an owner that was suspended for longer")
	if len(findings) > 0 {
		return findings
	}
	return []preflight.Finding{preflight.Good("offsets of absent groups are kept for %s days, transactional ids for %s",
		strconv.FormatInt(least(got[offsets])/(24*60), 10), time.Duration(least(got[ids]))*time.Millisecond)}
}

// brokerSettings returns the values that the brokers have for each key.
func (i inspector) brokerSettings(ctx context.Context, keys ...string) (map[string][]string, error) {
	brokers, err := i.adm.ListBrokers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list brokers: %w", err)
	}
	// Those that answer are enough: another check reports a broker that is down.
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

// least returns the smallest of the integers, or 0 when there is none.
func least(values []string) int64 {
	var out int64
	for _, v := range values {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && (out == 0 || n < out) {
			out = n
		}
	}
	return out
}
