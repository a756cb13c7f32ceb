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

// Uses lists what a program does with Kafka, so that its rights can be checked.
type Uses struct {
	// Reads, Writes and Trims are topics. To trim a topic is to delete its oldest records.
	Reads, Writes, Trims []string
	// Groups are the consumer groups that it joins or commits for.
	Groups []string
	// TransactionalIDs are those it writes with. A few are enough where rights are given by prefix.
	TransactionalIDs []string
	// Creates says that it creates a new ledger. Other programs wait for one.
	Creates bool
}

// Names of the checks that other checks depend on.
const (
	checkBrokers    = "kafka brokers"
	checkListeners  = "kafka listeners"
	checkNameTopics = "kafka topics"
)

// Checks returns the start-up checks of Kafka for a program that uses it in this way. They change nothing: they create
// no topic, produce and commit nothing, and use no transactional id.
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
			// From here on the client knows the brokers and tries no configured address that is down.
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
		refuses(needs(checkNameTopics, inspector.topics)),
		asks("kafka surplus", checkNameTopics, inspector.surplus),
	}
	if cfg.Backend() == Embedded {
		// The other checks make no sense for a broker inside a process: it has no users, no replicas and no clock of its own.
		checks = append(checks, preflight.Check{Name: "kafka transactions", Run: i.embedded})
		if len(uses.TransactionalIDs) > 0 {
			checks = append(checks, refuses(preflight.Check{Name: "kafka boot", Run: i.boot}))
		}
		return checks
	}
	if len(uses.TransactionalIDs) > 0 {
		checks = append(checks, refuses(asks("kafka boot", checkBrokers, inspector.bootMissing)))
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
// can't fix, such as a wrong password.
func (c Config) Await(ctx context.Context, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	var last error // Of the previous round.
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
			return last // The context cut this round short, so its errors say less.
		}
		last = err
		select {
		case <-ctx.Done():
			return last
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// ask connects to one broker by its address, authenticates, and returns the API versions of the broker. It uses a
// client of its own, because the seed brokers of a client do not expose their addresses.
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
	// A broker answers ApiVersions before it authenticates a client. Only a request such as this proves that it accepted
	// us.
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

// inspector runs the checks on one cluster.
type inspector struct {
	client *kgo.Client
	adm    *kadm.Client
	cfg    Config
	uses   Uses
}

// unknown is the finding for a request that failed: a warning, because it proves nothing.
func (i inspector) unknown(err error) []preflight.Finding {
	do := i.cfg.advice(err)
	if do == "" {
		do = "allow this user to describe the cluster and its configuration, or check it yourself"
	}
	return []preflight.Finding{preflight.Warning(do, "could not be checked: %v", err)}
}

// failures turns errors into findings. An error of this package says what is wrong, then a semicolon, then what to do.
func failures(errs []error) []preflight.Finding {
	var out []preflight.Finding
	for _, err := range errs {
		seen, do, _ := strings.Cut(err.Error(), "; ")
		out = append(out, preflight.Failure(do, "%s", seen))
	}
	return out
}

// flatten returns the errors that errors.Join joined.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
