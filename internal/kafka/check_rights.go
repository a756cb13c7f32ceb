package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/preflight"
)

// Kafka's internal topics. On a new cluster, describing a group or a transactional id makes Kafka create them, so the
// checks leave that out until the topics exist.
const (
	offsetsTopic = "__consumer_offsets"
	idsTopic     = "__transaction_state"
)

// rights asks the broker what this user may do, which changes nothing. Without ACLs everything is allowed. A broker
// that does not report rights is taken to allow everything.
func (i inspector) rights(ctx context.Context) []preflight.Finding {
	topics := slices.Concat(i.uses.Reads, i.uses.Writes, i.uses.Trims, []string{offsetsTopic, idsTopic})
	slices.Sort(topics)
	asked, err := i.authorized(ctx, slices.Compact(topics))
	if err != nil {
		return i.unknown(err)
	}
	var findings []preflight.Finding
	for _, n := range []struct {
		topics []string
		op     kadm.ACLOperation
		word   string
	}{
		{i.uses.Reads, kadm.OpRead, "Read"}, {i.uses.Writes, kadm.OpWrite, "Write"}, {i.uses.Trims, kadm.OpDelete, "Delete"},
	} {
		for _, topic := range n.topics {
			findings = append(findings, i.mayTopic(topic, asked[topic], n.op, n.word)...)
		}
	}
	if known(asked[offsetsTopic]) {
		findings = append(findings, i.groups(ctx)...)
	}
	if known(asked[idsTopic]) {
		findings = append(findings, i.transactionalIDs(ctx)...)
	}
	if len(i.uses.TransactionalIDs) > 0 {
		findings = append(findings, i.markers(ctx)...)
	}
	if len(findings) > 0 {
		return findings
	}
	seen := fmt.Sprintf("topics to read: %d, to write: %d", len(i.uses.Reads), len(i.uses.Writes))
	for _, part := range []struct {
		names []string
		topic string
		what  string
	}{{i.uses.Groups, offsetsTopic, "groups"}, {i.uses.TransactionalIDs, idsTopic, "transactional ids"}} {
		switch {
		case len(part.names) == 0:
		case known(asked[part.topic]):
			seen += fmt.Sprintf(", %s: %d", part.what, len(part.names))
		default:
			seen += fmt.Sprintf("; %s: not checked, this Kafka has had none yet", part.what)
		}
	}
	return []preflight.Finding{preflight.Good("%s", seen)}
}

// right is what a user may do with a topic.
type right struct {
	err error
	ops []kadm.ACLOperation
}

// authorized asks for the rights on topics, whether they exist or not.
func (i inspector) authorized(ctx context.Context, topics []string) (map[string]right, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(topic)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, i.client)
	if err != nil {
		return nil, err
	}
	rights := map[string]right{}
	for _, t := range resp.Topics {
		if t.Topic != nil {
			rights[*t.Topic] = right{kerr.ErrorForCode(t.ErrorCode), kadm.DecodeACLOperations(t.AuthorizedOperations)}
		}
	}
	return rights, nil
}

func known(r right) bool {
	return r.err == nil || errors.Is(r.err, kerr.TopicAuthorizationFailed)
}

func (i inspector) mayTopic(topic string, r right, op kadm.ACLOperation, word string) []preflight.Finding {
	denied := errors.Is(r.err, kerr.TopicAuthorizationFailed)
	switch {
	case r.err != nil && !denied && !errors.Is(r.err, kerr.UnknownTopicOrPartition):
		return []preflight.Finding{preflight.Warning("look into the log of the broker", "topic %s: %v", topic, r.err)}
	case !denied && (len(r.ops) == 0 || slices.Contains(r.ops, op)):
		return nil
	}
	return []preflight.Finding{i.forbidden("--topic "+topic, word, "topic "+topic)}
}

func (i inspector) groups(ctx context.Context) []preflight.Finding {
	var findings []preflight.Finding
	var failed unchecked
	for _, group := range i.uses.Groups {
		described, err := i.adm.DescribeGroups(ctx, group)
		d := described[group]
		err = errors.Join(err, d.Err)
		ops := d.AuthorizedOperations
		switch {
		case isDenied(err), err == nil && len(ops) > 0 && !slices.Contains(ops, kadm.OpRead):
			findings = append(findings, i.forbidden("--group "+group, "Read", "group "+group))
		case err != nil && !errors.Is(err, kerr.GroupIDNotFound):
			failed.add("group "+group, err)
		}
	}
	return append(findings, failed.findings(i)...)
}

func (i inspector) transactionalIDs(ctx context.Context) []preflight.Finding {
	var findings []preflight.Finding
	var failed unchecked
	for _, id := range i.uses.TransactionalIDs {
		described, err := i.adm.DescribeTransactions(ctx, id)
		err = errors.Join(err, described[id].Err)
		switch {
		case isDenied(err):
			findings = append(findings, i.forbidden("--transactional-id "+i.cfg.Cluster+"- --resource-pattern-type prefixed",
				"Write", "transactional id "+id))
		case err != nil && !errors.Is(err, kerr.TransactionalIDNotFound):
			failed.add("transactional id "+id, err)
		}
	}
	return append(findings, failed.findings(i)...)
}

// markers checks whether this user may write transaction markers. The journal needs that right only after a broker lost
// the end of a transaction.
func (i inspector) markers(ctx context.Context) []preflight.Finding {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.IncludeClusterAuthorizedOperations = true
	resp, err := req.RequestWith(ctx, i.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return i.unknown(fmt.Errorf("describe the rights on the cluster: %w", err))
	}
	if resp.ClusterAuthorizedOperations == math.MinInt32 || // The broker does not report them.
		slices.Contains(kadm.DecodeACLOperations(resp.ClusterAuthorizedOperations), kadm.OpClusterAction) {
		return nil
	}
	// A user who may not describe the cluster gets an empty list, so the hint names both operations.
	f := i.forbidden("--operation Describe --cluster", "ClusterAction", "cluster")
	f.Level = preflight.Warn
	f.Seen += "; without it a lane stays closed after a killed broker has lost the end of a transaction"
	return []preflight.Finding{f}
}

// unchecked collects what could not be checked into one finding, because several names often share one coordinator.
type unchecked struct {
	names []string
	err   error
}

func (u *unchecked) add(name string, err error) { u.names, u.err = append(u.names, name), err }

func (u *unchecked) findings(i inspector) []preflight.Finding {
	if u.err == nil {
		return nil
	}
	return i.unknown(fmt.Errorf("%s: %w", strings.Join(u.names, ", "), u.err))
}

func isDenied(err error) bool {
	return errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.TransactionalIDAuthorizationFailed)
}

// forbidden names a right that the user lacks, and the command that grants it.
func (i inspector) forbidden(resource, operation, what string) preflight.Finding {
	user := i.cfg.User
	if user == "" {
		user = "ANONYMOUS"
	}
	return preflight.Failure(
		fmt.Sprintf("kafka-acls.sh --add --allow-principal User:%s --operation %s %s", user, operation, resource),
		"%s: user %s lacks the right %s", what, user, operation)
}
