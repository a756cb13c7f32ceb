package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/kafka"
)

const (
	// composeLimit is how long anything in containers may take. Only a failing test waits that long.
	composeLimit = 3 * time.Minute
	composeEvery = 100 * time.Millisecond
	// composeProject separates the containers and data of tests from those of the user.
	composeProject = "orderledger-e2e"
)

// composed is docker-compose.yml with the example receiver, in a project of its own, at the addresses that the file
// publishes.
type composed struct {
	*stack
	profiles []string
	admin    *kadm.Client
}

// adminPorts are the ports where each service publishes its health.
var adminPorts = map[string]string{
	"ingest": "9101", "projector": "9102", "emitter": "9103", "ingest-2": "9111", "projector-2": "9112", "emitter-2": "9113",
}

// newComposed builds and starts the services. They and their data are removed when the test ends.
func newComposed(t testing.TB, profiles ...string) *composed {
	t.Helper()
	if os.Getenv("ORDERLEDGER_TEST_COMPOSE") == "" {
		t.Skip("docker compose: make test/compose runs it, or set ORDERLEDGER_TEST_COMPOSE=1; its ports must be free")
	}
	c := &composed{
		stack:    &stack{t: t, url: "http://127.0.0.1:8080", kafka: "127.0.0.1:9092", native: "127.0.0.1:9000", user: "orderledger", password: "orderledger"},
		profiles: append(profiles, "receiver"),
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs (end):\n%s", c.docker("logs", "--tail", "100"))
		}
		c.docker("down", "--volumes")
	})
	c.docker("up", "--build", "--wait", "--quiet-pull")
	client, err := kgo.NewClient(kgo.SeedBrokers(c.kafka))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	c.admin = kadm.NewClient(client)
	t.Log("testkit: backend docker compose, profiles " + strings.Join(c.profiles, " and ") + ": Apache Kafka, " + c.clickHouse())
	return c
}

// clickHouse names the server that answers. On a machine that can't pull the image, another program may stand in under
// its name.
func (c *composed) clickHouse() string {
	var version string
	require.NoError(c.t, c.sql().QueryRow(c.t.Context(), "SELECT version()").Scan(&version))
	if strings.Contains(c.docker("exec", "-T", "clickhouse", "cat", "/proc/1/comm"), "orderledger") {
		return "the embedded ClickHouse engine " + version + " as a stand-in for the server's image"
	}
	return "ClickHouse " + version
}

// docker runs docker compose and returns what it printed.
func (c *composed) docker(args ...string) string {
	c.t.Helper()
	all := []string{"compose", "--project-directory", "..", "--project-name", composeProject}
	for _, profile := range c.profiles {
		all = append(all, "--profile", profile)
	}
	// Not the test's context, which has ended in cleanups.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", append(all, args...)...)
	cmd.Env = append(os.Environ(), "ORDERLEDGER_EMITTER_ENDPOINTS=receiver=http://receiver:8090/suborders",
		"ORDERLEDGER_EMITTER_START=earliest", "COMPOSE_PROFILES=")
	out, err := cmd.CombinedOutput()
	require.NoError(c.t, err, "docker compose %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

// kill ends an instance with SIGKILL. Docker treats that as a manual stop and does not restart it.
func (c *composed) kill(service string) {
	c.t.Helper()
	c.docker("kill", "--signal", "KILL", service)
}

// start starts an instance that was killed, and waits until it is ready.
func (c *composed) start(service string) {
	c.t.Helper()
	c.docker("start", service)
	require.Eventually(c.t, func() bool { return c.fetch("http://127.0.0.1:"+adminPorts[service]+"/readyz", nil) == nil },
		composeLimit, composeEvery, "%s is not ready", service)
}

// fetch reads the JSON at a URL.
func (c *composed) fetch(url string, into any) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// groups returns the consumer groups that share the work of a service.
func groups(service string) []string {
	const cluster = "orderledger"
	switch strings.TrimSuffix(service, "-2") {
	case "ingest":
		return []string{kafka.GroupLanes(cluster)}
	case "projector":
		return []string{kafka.GroupProjector(cluster)}
	default:
		return []string{kafka.GroupTranslate(cluster), kafka.GroupEndpoint(cluster, "receiver")}
	}
}

// awaitShared waits until this many instances share the work of a service, each with a part.
func (c *composed) awaitShared(service string, instances int) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		described, err := c.admin.DescribeGroups(c.t.Context(), groups(service)...)
		if err != nil || described.Error() != nil {
			return false
		}
		for _, group := range described {
			if group.State != "Stable" || len(group.Members) != instances {
				return false
			}
			for _, member := range group.Members {
				if assigned, ok := member.Assigned.AsConsumer(); !ok || len(assigned.Topics) == 0 {
					return false
				}
			}
		}
		return true
	}, composeLimit, composeEvery, "%s: %d instances do not share the work", service, instances)
}

// stats are the counts that the example receiver reports.
type stats struct {
	Received, Messages, Repeats, Rejected, OutOfOrder, Changed int
	EventTypes                                                 map[string]int
}

// received returns the receiver's counts, and requires that messages were in order and repeats equal.
func (c *composed) received() stats {
	c.t.Helper()
	var s stats
	require.NoError(c.t, c.fetch("http://127.0.0.1:8090/stats", &s))
	c.t.Logf("receiver: %+v", s)
	require.Equal(c.t, []int{0, 0, 0}, []int{s.Rejected, s.OutOfOrder, s.Changed}, "rejected, out of order, changed")
	return s
}

// roundRobin sends each request to the next of several addresses, like a load balancer without health checks.
type roundRobin struct {
	http.RoundTripper
	hosts []string
	next  atomic.Uint64
}

// newRoundRobin returns a client for these hosts.
func newRoundRobin(hosts ...string) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // It is one.
	transport.MaxIdleConnsPerHost = 64
	return &http.Client{Transport: &roundRobin{RoundTripper: transport, hosts: hosts}, Timeout: time.Minute}
}

func (b *roundRobin) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = b.hosts[b.next.Add(1)%uint64(len(b.hosts))]
	return b.RoundTripper.RoundTrip(r)
}
