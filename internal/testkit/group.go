package testkit

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Members returns the members of a consumer group that has settled, or none while it moves or nobody is in it.
func Members(t testing.TB, client *kgo.Client, group string) []kadm.DescribedGroupMember {
	t.Helper()
	groups, err := kadm.NewClient(client).DescribeGroups(context.WithoutCancel(t.Context()), group)
	if g := groups[group]; err == nil && g.Err == nil && g.State == "Stable" {
		return g.Members
	}
	return nil
}

// WaitMembers waits until a consumer group has settled with so many members.
func WaitMembers(t testing.TB, client *kgo.Client, group string, n int) {
	t.Helper()
	Eventually(t, func() bool { return len(Members(t, client, group)) == n }, fmt.Sprintf("%d members in %s", n, group))
}

// End returns the offset behind the last record of a partition, committed or not.
func End(t testing.TB, client *kgo.Client, topic string, partition int32) int64 {
	t.Helper()
	ends, err := kadm.NewClient(client).ListEndOffsets(context.WithoutCancel(t.Context()), topic)
	require.NoError(t, err)
	o, ok := ends.Lookup(topic, partition)
	require.True(t, ok)
	require.NoError(t, o.Err)
	return o.Offset
}

// CreateTopic creates a topic with the broker's own settings, and waits until each partition has its leader.
func CreateTopic(t testing.TB, client *kgo.Client, topic string, partitions int32, settings map[string]string) {
	t.Helper()
	adm := kadm.NewClient(client)
	values := map[string]*string{}
	for k, v := range settings {
		values[k] = &v
	}
	_, err := adm.CreateTopic(t.Context(), partitions, -1, values, topic)
	require.NoError(t, err)
	Eventually(t, func() bool {
		ends, err := adm.ListEndOffsets(t.Context(), topic)
		return err == nil && ends.Error() == nil && len(ends[topic]) == int(partitions)
	}, "leaders of "+topic)
}

// Trim deletes the records of a partition below an offset.
func Trim(t testing.TB, client *kgo.Client, topic string, partition int32, before int64) {
	t.Helper()
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, partition, before, -1)
	deleted, err := kadm.NewClient(client).DeleteRecords(t.Context(), offsets)
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
}

// Settled waits until no transaction is open in the topics. Apache Kafka answers a commit before its markers are in the
// partitions: whoever asks for their ends too early misses them, and what was committed.
func Settled(t testing.TB, client *kgo.Client, topics ...string) {
	t.Helper()
	adm, ctx := kadm.NewClient(client), context.WithoutCancel(t.Context())
	Eventually(t, func() bool {
		// In this order: an end that is older than the stable offset proves nothing.
		stable, err := adm.ListCommittedOffsets(ctx, topics...)
		require.NoError(t, err)
		ends, err := adm.ListEndOffsets(ctx, topics...)
		require.NoError(t, err)
		settled := true
		ends.Each(func(end kadm.ListedOffset) {
			at, ok := stable.Lookup(end.Topic, end.Partition)
			settled = settled && ok && at.Offset == end.Offset
		})
		return settled
	}, "no transaction is open")
}
