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
	// composeLimit is how long anything in containers may take. Only a failing test waits so long.
	composeLimit = 3 * time.Minute
	composeEvery = 100 * time.Millisecond
	// composeProject keeps containers and data of tests apart from those of whoever runs them.
	composeProject = "orderledger-e2e"
)

// composed is docker-compose.yml with the example receiver, in a project of its own. The addresses are those it
// publishes.
type composed struct {
	*stack
	profiles []string
	admin    *kadm.Client
}

// adminPorts are where each service publishes its health.
var adminPorts = map[string]string{
	"ingest": "9101", "projector": "9102", "emitter": "9103", "ingest-2": "9111", "projector-2": "9112", "emitter-2": "9113",
}

// newComposed builds and starts the services; they and their data are gone when the test ends.
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

// clickHouse says which server answers, and whether it is one: a machine that can't pull the image may have another
// program behind its name.
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
	// The test's own context has ended when it cleans up.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", append(all, args...)...)
	cmd.Env = append(os.Environ(), "ORDERLEDGER_EMITTER_ENDPOINTS=receiver=http://receiver:8090/suborders", "COMPOSE_PROFILES=")
	out, err := cmd.CombinedOutput()
	require.NoError(c.t, err, "docker compose %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

// kill ends an instance as a power switch would. Docker takes that for a stop by hand, so that nothing starts it again.
func (c *composed) kill(service string) {
	c.t.Helper()
	c.docker("kill", "--signal", "KILL", service)
}

// start starts an instance that was killed, and returns when it says that it can work.
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

// groups are the consumer groups that share the work of a service.
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

// shared waits until a service's work is shared by so many instances, each with some of it.
func (c *composed) shared(service string, instances int) {
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
	}, composeLimit, composeEvery, "%s: the work is not shared by %d instances", service, instances)
}

// stats is what the example receiver tells of what it got.
type stats struct {
	Received, Messages, Repeats, Rejected, OutOfOrder, Changed int
	EventTypes                                                 map[string]int
}

// received asks the receiver, and requires that each suborder's messages came in order and repeats were equal.
func (c *composed) received() stats {
	c.t.Helper()
	var s stats
	require.NoError(c.t, c.fetch("http://127.0.0.1:8090/stats", &s))
	c.t.Logf("receiver: %+v", s)
	require.Equal(c.t, []int{0, 0, 0}, []int{s.Rejected, s.OutOfOrder, s.Changed}, "rejected, out of order, changed")
	return s
}

// inTurn sends each request to the next of several addresses, as a load balancer does that does not know who is alive.
type inTurn struct {
	http.RoundTripper
	hosts []string
	next  atomic.Uint64
}

// newInTurn returns a client for some hosts.
func newInTurn(hosts ...string) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // It is one.
	transport.MaxIdleConnsPerHost = 64
	return &http.Client{Transport: &inTurn{RoundTripper: transport, hosts: hosts}, Timeout: time.Minute}
}

func (b *inTurn) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = b.hosts[b.next.Add(1)%uint64(len(b.hosts))]
	return b.RoundTripper.RoundTrip(r)
}
