package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderledger/orderledger/internal/preflight"
)

// Kafka's own topics. Asking for a group or a transactional id of a new cluster would create them, so that is left out.
const (
	offsetsTopic = "__consumer_offsets"
	idsTopic     = "__transaction_state"
)

// rights asks what this user may do, which takes nothing and writes nothing. Without ACLs everything is allowed, and a
// broker that does not tell is taken to allow it.
func (i inspector) rights(ctx context.Context) []preflight.Finding {
	topics := slices.Concat(i.uses.Reads, i.uses.Writes, i.uses.Trims, []string{offsetsTopic, idsTopic})
	slices.Sort(topics)
	m, err := i.adm.Metadata(kadm.WithAuthorizedOps(ctx), slices.Compact(topics)...)
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
			findings = append(findings, i.mayTopic(m.Topics[topic], n.op, n.word)...)
		}
	}
	if known(m.Topics[offsetsTopic]) {
		findings = append(findings, i.groups(ctx)...)
	}
	if known(m.Topics[idsTopic]) {
		findings = append(findings, i.transactionalIDs(ctx)...)
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
		case known(m.Topics[part.topic]):
			seen += fmt.Sprintf(", %s: %d", part.what, len(part.names))
		default:
			seen += fmt.Sprintf("; %s: not asked, this Kafka has had none yet", part.what)
		}
	}
	return []preflight.Finding{preflight.Good("%s", seen)}
}

func known(d kadm.TopicDetail) bool {
	return d.Err == nil || errors.Is(d.Err, kerr.TopicAuthorizationFailed)
}

func (i inspector) mayTopic(d kadm.TopicDetail, op kadm.ACLOperation, word string) []preflight.Finding {
	missing := errors.Is(d.Err, kerr.UnknownTopicOrPartition)
	denied := errors.Is(d.Err, kerr.TopicAuthorizationFailed)
	switch {
	case d.Err != nil && !missing && !denied:
		return []preflight.Finding{preflight.Warning("look at the broker's log", "topic %s: %v", d.Topic, d.Err)}
	case !denied && (len(d.AuthorizedOperations) == 0 || slices.Contains(d.AuthorizedOperations, op)):
		return nil
	}
	return []preflight.Finding{i.forbidden("--topic "+d.Topic, word, "topic "+d.Topic)}
}

func (i inspector) groups(ctx context.Context) []preflight.Finding {
	var findings []preflight.Finding
	for _, group := range i.uses.Groups {
		described, err := i.adm.DescribeGroups(ctx, group)
		d := described[group]
		err = errors.Join(err, d.Err)
		ops := d.AuthorizedOperations
		switch {
		case isDenied(err), err == nil && len(ops) > 0 && !slices.Contains(ops, kadm.OpRead):
			findings = append(findings, i.forbidden("--group "+group, "Read", "group "+group))
		case err != nil && !errors.Is(err, kerr.GroupIDNotFound):
			findings = append(findings, i.unknown(fmt.Errorf("group %s: %w", group, err))...)
		}
	}
	return findings
}

func (i inspector) transactionalIDs(ctx context.Context) []preflight.Finding {
	var findings []preflight.Finding
	for _, id := range i.uses.TransactionalIDs {
		described, err := i.adm.DescribeTransactions(ctx, id)
		err = errors.Join(err, described[id].Err)
		switch {
		case isDenied(err):
			findings = append(findings, i.forbidden("--transactional-id "+i.cfg.Cluster+"- --resource-pattern-type prefixed", "Write", "transactional id "+id))
		case err != nil && !errors.Is(err, kerr.TransactionalIDNotFound):
			findings = append(findings, i.unknown(fmt.Errorf("transactional id %s: %w", id, err))...)
		}
	}
	return findings
}

func isDenied(err error) bool {
	return errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.TransactionalIDAuthorizationFailed)
}

// forbidden says what the user may not do, and the command that changes it.
func (i inspector) forbidden(resource, operation, what string) preflight.Finding {
	user := i.cfg.User
	if user == "" {
		user = "ANONYMOUS"
	}
	return preflight.Failure(
		fmt.Sprintf("kafka-acls.sh --add --allow-principal User:%s --operation %s %s", user, operation, resource),
		"%s: user %s lacks the right %s", what, user, operation)
}
