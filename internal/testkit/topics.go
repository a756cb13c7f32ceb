package testkit

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/kafka"
)

// Topics creates every topic of a ledger with this many lanes.
func Topics(t testing.TB, brokers []string, lanes int) {
	t.Helper()
	// The caller may be in a cleanup, where the test's context has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Limit)
	defer cancel()
	on := kafka.Embedded
	if isApache(brokers) {
		on = kafka.Cluster
	}
	got, err := kafka.EnsureTopics(ctx, Client(t, brokers), KafkaConfig(brokers, lanes), on)
	require.NoError(t, err)
	require.EqualValues(t, lanes, got.Lanes)
}

// End returns the end offset of a partition, whether its last records are committed or not.
func End(t testing.TB, client *kgo.Client, topic string, partition int32) int64 {
	t.Helper()
	ends, err := kadm.NewClient(client).ListEndOffsets(context.WithoutCancel(t.Context()), topic)
	require.NoError(t, err)
	o, ok := ends.Lookup(topic, partition)
	require.True(t, ok)
	require.NoError(t, o.Err)
	return o.Offset
}

// CreateTopic creates a topic with the broker's default replication, and waits until each partition has a leader.
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

// AddPartitions raises the number of partitions of a topic, as an operator does by hand, and waits for their leaders.
func AddPartitions(t testing.TB, client *kgo.Client, topic string, to int) {
	t.Helper()
	adm := kadm.NewClient(client)
	got, err := adm.UpdatePartitions(t.Context(), to, topic)
	require.NoError(t, err)
	require.NoError(t, got.Error())
	Eventually(t, func() bool {
		ends, err := adm.ListEndOffsets(t.Context(), topic)
		return err == nil && ends.Error() == nil && len(ends[topic]) == to
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
// partitions, so a test that lists end offsets right away misses the markers, and read-committed readers miss records.
func Settled(t testing.TB, client *kgo.Client, topics ...string) {
	t.Helper()
	adm, ctx := kadm.NewClient(client), context.WithoutCancel(t.Context())
	Eventually(t, func() bool {
		// In this order: an end offset that is older than the stable offset proves nothing.
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
