package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/preflight"
)

// Uses says what a program does with Kafka, so that its rights can be checked.
type Uses struct {
	// Reads, Writes and Trims are topics. To trim is to delete records from the front.
	Reads, Writes, Trims []string
	// Groups are the consumer groups that it joins or commits for.
	Groups []string
	// TransactionalIDs it writes under; a few stand for all.
	TransactionalIDs []string
}

// The checks that others need.
const (
	checkBrokers   = "kafka brokers"
	checkListeners = "kafka listeners"
)

// Checks returns the start-up checks of Kafka, for a program that uses it in this way. They alter nothing: no topic is
// created, nothing is produced or committed, and no transactional id is taken.
func Checks(cfg Config, uses Uses) []preflight.Check {
	i := inspector{cfg: cfg, uses: uses}
	asks := func(name, needs string, run func(inspector, context.Context) []preflight.Finding) preflight.Check {
		return preflight.Check{Name: name, Needs: needs, Run: func(ctx context.Context) []preflight.Finding {
			client, err := kgo.NewClient(Options(cfg)...)
			if err != nil {
				return i.unknown(err)
			}
			defer client.Close()
			adm := kadm.NewClient(client)
			// From now on the client knows the brokers, and tries no configured address that is away.
			if _, err := adm.ListBrokers(ctx); err != nil {
				return i.unknown(err)
			}
			return run(inspector{client: client, adm: adm, cfg: cfg, uses: uses}, ctx)
		}}
	}
	needs := func(name string, run func(inspector, context.Context) []preflight.Finding) preflight.Check {
		return asks(name, checkListeners, run)
	}
	refuses := func(c preflight.Check) preflight.Check {
		c.Refuses = true
		return c
	}
	checks := []preflight.Check{
		{Name: checkBrokers, Refuses: true, Run: i.brokers},
		asks(checkListeners, checkBrokers, inspector.listeners),
		{Name: "kafka security", Run: i.security},
		refuses(needs("kafka topics", inspector.topics)),
	}
	if cfg.Backend() == Embedded {
		// The rest has no meaning for one broker inside a process, which has no users, no replicas and no clock of its own.
		return append(checks, preflight.Check{Name: "kafka transactions", Run: i.embedded})
	}
	return append(checks,
		refuses(needs("kafka transactions", inspector.transactions)),
		needs("kafka replication", inspector.replication),
		refuses(needs("kafka elections", inspector.elections)),
		needs("kafka retention", inspector.retention),
		needs("kafka rights", inspector.rights),
		refuses(needs("kafka clock", inspector.clock)),
	)
}

// Await returns when a broker answers. It waits for at most Config.Timeout, and not at all after an error that waiting
// can't heal, such as a wrong password.
func (c Config) Await(ctx context.Context, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	var last error // Of the round before.
	for {
		var problems []error
		for _, addr := range c.Brokers {
			_, err := ask(ctx, c, addr)
			if err == nil {
				return nil
			}
			problems = append(problems, fmt.Errorf("kafka broker %s: %w", addr, c.Explain(err)))
			if hopeless(err) {
				return errors.Join(problems...)
			}
		}
		err := errors.Join(problems...)
		switch {
		case last == nil:
			log.WarnContext(ctx, "kafka not reached yet", slog.Any("err", err))
		case ctx.Err() != nil:
			return last // A round that was broken off knows less.
		}
		last = err
		select {
		case <-ctx.Done():
			return last
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// ask connects to one broker by its address, proves who the program is, and returns what the broker can do. It uses a
// client of its own, since a client's seed brokers do not tell their addresses.
func ask(ctx context.Context, cfg Config, addr string) (*kmsg.ApiVersionsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	cfg.Brokers = []string{addr}
	client, err := kgo.NewClient(Options(cfg)...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return versions(ctx, client.SeedBrokers()[0])
}

func versions(ctx context.Context, broker *kgo.Broker) (*kmsg.ApiVersionsResponse, error) {
	// Everybody may ask for versions, before it is clear who they are; only this question proves that we are let in.
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Topics = []kmsg.MetadataRequestTopic{}
	if _, err := broker.Request(ctx, metadata); err != nil {
		return nil, err
	}
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "orderledger", "check"
	resp, err := broker.Request(ctx, req)
	if err != nil {
		return nil, err
	}
	return resp.(*kmsg.ApiVersionsResponse), nil
}

// inspector looks at a Kafka.
type inspector struct {
	client *kgo.Client
	adm    *kadm.Client
	cfg    Config
	uses   Uses
}

// unknown is a finding for what could not be asked, which is worth a word but proves nothing.
func (i inspector) unknown(err error) []preflight.Finding {
	do := i.cfg.advice(err)
	if do == "" {
		do = "allow this user to describe the cluster and its configuration, or see to it yourself"
	}
	return []preflight.Finding{preflight.Warning(do, "could not be asked: %v", err)}
}

// failures makes findings of errors in the form of this package: what is wrong, a semicolon, what to do.
func failures(errs []error) []preflight.Finding {
	var out []preflight.Finding
	for _, err := range errs {
		seen, do, _ := strings.Cut(err.Error(), "; ")
		out = append(out, preflight.Failure(do, "%s", seen))
	}
	return out
}
