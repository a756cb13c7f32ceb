package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestLostRequestsAndReplies loses requests and replies of commits and produces. No record is lost or duplicated.
func TestLostRequestsAndReplies(t *testing.T) {
	seed := chooseSeed(t)
	s := newScenario(t, newBrokers(t), plan{instances: 1, lanes: 4, proxied: true}, seed, 60)
	p := s.brokerProxies[s.ingests[0].name]
	for _, key := range []kmsg.Key{kmsg.EndTxn, kmsg.Produce} {
		for _, drop := range []func(kmsg.Key, int){p.DropReplies, p.DropRequests} {
			before := p.Lost(key)
			drop(key, 2)
			require.Eventually(t, func() bool { return p.Lost(key) == before+2 }, time.Minute, time.Millisecond, "%s is lost", kmsg.NameForKey(int16(key)))
			s.awaitPromises(20)
		}
	}
	chaos{faults: []fault{faultLose()}, n: 12, atOnce: 3, most: 300 * time.Millisecond}.run(s, seed)
	s.end()
}
