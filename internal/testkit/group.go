package testkit

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Members returns the members of a stable consumer group, or none while the group rebalances or is empty.
func Members(t testing.TB, client *kgo.Client, group string) []kadm.DescribedGroupMember {
	t.Helper()
	groups, err := kadm.NewClient(client).DescribeGroups(context.WithoutCancel(t.Context()), group)
	if g := groups[group]; err == nil && g.Err == nil && g.State == "Stable" {
		return g.Members
	}
	return nil
}

// WaitMembers waits until a consumer group is stable with n members.
func WaitMembers(t testing.TB, client *kgo.Client, group string, n int) {
	t.Helper()
	Eventually(t, func() bool { return len(Members(t, client, group)) == n }, fmt.Sprintf("%d members in %s", n, group))
}
