package main

import (
	"context"
	"net"
	"net/url"
	"strings"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/preflight"
)

// checks returns the start-up checks of this program.
func checks(cfg config) []preflight.Check {
	groups := []string{kafka.GroupTranslate(cfg.Kafka.Cluster)}
	for _, e := range cfg.Emitter.Deliver.Endpoints {
		groups = append(groups, kafka.GroupEndpoint(cfg.Kafka.Cluster, e.Name))
	}
	return append(kafka.Checks(cfg.Kafka, kafka.Uses{
		Reads: []string{events.TopicLayout, events.TopicEvents, events.TopicSuborders, events.TopicSuborderQueues},
		Writes: []string{
			events.TopicSuborders, events.TopicDeliveries, events.TopicSuborderQueues, events.TopicDeadLetters,
		},
		Groups: groups,
	}), preflight.Check{Name: "endpoints", Run: func(ctx context.Context) []preflight.Finding {
		return append(ignored(cfg.unused), resolve(ctx, cfg.Emitter.Deliver.Endpoints)...)
	}})
}

// ignored warns of variables without an effect.
func ignored(names []string) []preflight.Finding {
	if len(names) == 0 {
		return nil
	}
	return []preflight.Finding{preflight.Warning(
		"name their endpoints in "+envEndpoints+", or unset them; an endpoint of "+envSettings+" has members of its own",
		"%s: ignored, because %s names no endpoint", strings.Join(names, ", "), envEndpoints)}
}

// resolve resolves the hosts of the endpoints. It sends nothing, because a receiver must get messages only.
func resolve(ctx context.Context, endpoints []emitter.Endpoint) []preflight.Finding {
	if len(endpoints) == 0 {
		return []preflight.Finding{
			preflight.Warning("set "+envEndpoints+" or "+envSettings, "none is configured: nothing is sent"),
		}
	}
	var good []string
	var findings []preflight.Finding
	for _, e := range endpoints {
		if missing := e.Scope.Missing(); len(missing) > 0 {
			findings = append(findings, preflight.Warning(
				"name them in "+envSettings+", or in "+strings.Join([]string{envSellers, envLocations, envChannels}, ", ")+
					` for endpoints of `+envEndpoints+`; "*" means all`,
				"endpoint %s gets nothing: it names no %s", e.Name, strings.Join(missing, ", no ")))
		}
		u, err := url.Parse(e.URL)
		if err == nil {
			_, err = net.DefaultResolver.LookupHost(ctx, u.Hostname())
		}
		if err != nil {
			findings = append(findings, preflight.Failure(
				"correct the host in its URL, or the name server of this machine", "endpoint %s: %v", e.Name, err))
			continue
		}
		good = append(good, e.Name)
	}
	if len(good) > 0 {
		findings = append(findings, preflight.Good("the hosts of %s resolve", strings.Join(good, ", ")))
	}
	return findings
}
