package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/demo"
	"github.com/orderledger/orderledger/internal/embedded/engine"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// session is the session timeout of every group: the least that a broker allows by default.
const session = 6 * time.Second

// webhookSecret signs what the emitter sends.
const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// peerSecret signs the requests between ingest instances.
const peerSecret = "a-secret-of-the-instances-of-one-ledger"

// buildAll compiles the programs once for all tests.
var buildAll = sync.OnceValues(func() (string, error) {
	tool, err := build()
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(tool)
	out, err := exec.Command("go", "build", "-o", dir, "../cmd/ingest", "../cmd/projector", "../cmd/emitter").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, nil
})

// deployments numbers the ledgers of this process.
var deployments atomic.Int64

// plan says what a deployment is made of.
type plan struct {
	instances int // Of each service.
	lanes     int
	proxied   bool // Whether each service reaches the brokers through a proxy of its own.
}

// deployment is the whole ledger as its users run it: instances of the three services, each a process, an Apache Kafka,
// a ClickHouse and a receiver.
type deployment struct {
	t       testing.TB
	plan    plan
	dir     string // Logs and data; it stays when the test fails.
	bin     string
	cluster string
	kafka   *brokers

	ingests, projectors, emitters []*program
	urls                          []string                // Of the ingests' APIs.
	brokerProxies                 map[string]*brokerProxy // By the program's name.
	clickhouse                    clickHouse
	receiver                      receiver
	extras                        atomic.Int64 // Instances that joined for a while.
}

// clickHouse is the server of a deployment.
type clickHouse struct {
	process                  *program // Nil when the server is not ours to kill.
	addr                     string   // Where it listens.
	user, password, database string
	proxy                    *netfault.Proxy // Where the services find it.
	busy                     sync.Mutex      // Held by the fault that uses it.
}

// receiver is the fulfilment system of a deployment.
type receiver struct {
	*testkit.Receiver
	proxy *netfault.Proxy // Where the emitters find it.
	busy  sync.Mutex      // Held by the fault that uses it.
}

// brokerProxy is the network between one service and the brokers.
type brokerProxy struct {
	*netfault.LossyProxy
	busy sync.Mutex // Held by the fault that uses it.
}

// newDeployment builds the programs, starts everything and waits until it is ready.
func newDeployment(t testing.TB, b *brokers, p plan) *deployment {
	t.Helper()
	n := deployments.Add(1)
	d := &deployment{
		t: t, plan: p, kafka: b, cluster: fmt.Sprintf("e2e-%d-%d", os.Getpid(), n),
		brokerProxies: map[string]*brokerProxy{},
	}
	var err error
	d.bin, err = buildAll()
	require.NoError(t, err)
	d.dir, err = os.MkdirTemp("", "orderledger-"+d.cluster+"-") //nolint:usetesting // It must outlive a test that fails.
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs and data of the services: %s", d.dir)
			return
		}
		_ = os.RemoveAll(d.dir)
	})
	d.receiver.Receiver = testkit.NewReceiver(t, webhookSecret)
	host, _, _ := strings.Cut(strings.TrimPrefix(d.receiver.URL(), "http://"), "/")
	d.receiver.proxy = netfault.NewProxy(t, host)
	d.startClickHouse()
	for i := range p.instances {
		d.ingests = append(d.ingests, d.ingest(fmt.Sprintf("ingest-%d", i+1), true))
		d.projectors = append(d.projectors, d.projector(fmt.Sprintf("projector-%d", i+1), true))
		d.emitters = append(d.emitters, d.emitter(fmt.Sprintf("emitter-%d", i+1), true))
	}
	for _, s := range d.services() {
		s.start()
	}
	for _, s := range d.services() {
		require.NoError(t, s.awaitReady(t.Context(), 2*testkit.Limit))
	}
	return d
}

// services are the instances of all three services.
func (d *deployment) services() []*program {
	return append(append(append([]*program{}, d.ingests...), d.projectors...), d.emitters...)
}

func (d *deployment) startClickHouse() {
	d.t.Helper()
	d.clickhouse.database = "orderledger"
	if addr := os.Getenv(testkit.EnvClickHouse); addr != "" {
		d.t.Logf("testkit: backend ClickHouse server (%s)", addr)
		d.clickhouse.addr, _, _ = strings.Cut(addr, ",")
		d.clickhouse.user = os.Getenv(testkit.EnvClickHouseUser)
		d.clickhouse.password = os.Getenv(testkit.EnvClickHousePassword)
		d.clickhouse.database = strings.ReplaceAll(d.cluster, "-", "_")
	} else {
		if _, err := engine.Locate(); err != nil {
			d.t.Skip(err)
		}
		d.t.Log("testkit: backend embedded ClickHouse in a process of its own " + engine.Version)
		d.clickhouse.addr = netfault.FreeAddr(d.t)
		d.clickhouse.process = newProgram(d.t, d.dir, "clickhouse", filepath.Join(d.bin, "orderledger"), nil, []string{
			"up", "--only", "clickhouse", "--data", filepath.Join(d.dir, "clickhouse"), "--clickhouse-listen", d.clickhouse.addr,
			"--clickhouse-http-listen", netfault.FreeAddr(d.t), "--quiet",
		})
		d.clickhouse.process.start()
	}
	d.clickhouse.proxy = netfault.NewProxy(d.t, d.clickhouse.addr)
}

// environment returns the variables that every service gets.
func (d *deployment) environment(name string) []string {
	addrs := d.kafka.addrs
	if d.plan.proxied {
		p := &brokerProxy{LossyProxy: netfault.NewLossyProxy(d.t)}
		d.brokerProxies[name] = p
		addrs = p.Brokers(addrs)
	}
	return []string{
		"ORDERLEDGER_KAFKA_BROKERS=" + strings.Join(addrs, ","),
		"ORDERLEDGER_CLUSTER=" + d.cluster,
		fmt.Sprintf("ORDERLEDGER_LANES=%d", d.plan.lanes),
		"ORDERLEDGER_CLICKHOUSE_ADDR=" + d.clickhouse.proxy.Addr,
		"ORDERLEDGER_CLICKHOUSE_DATABASE=" + d.clickhouse.database,
		"ORDERLEDGER_CLICKHOUSE_USER=" + d.clickhouse.user,
		"ORDERLEDGER_CLICKHOUSE_PASSWORD=" + d.clickhouse.password,
		"ORDERLEDGER_INBOX_KEEP=0",
	}
}

// service prepares an instance. A static one keeps its group membership when it restarts.
func (d *deployment) service(kind, name string, static bool, env ...string) *program {
	d.t.Helper()
	upper := "ORDERLEDGER_" + strings.ToUpper(kind)
	admin := netfault.FreeAddr(d.t)
	env = append(append(d.environment(name), env...), upper+"_ADMIN_ADDR="+admin, upper+"_SESSION_TIMEOUT="+session.String())
	if static {
		env = append(env, upper+"_INSTANCE_ID="+name)
	}
	p := newProgram(d.t, d.dir, name, filepath.Join(d.bin, kind), env, nil)
	p.ready = "http://" + admin + "/readyz"
	return p
}

// The intake of the services is strict: tokens prove the workload's notifications, and who asks for the progress.
const (
	notificationToken = "notifications of the end-to-end tests"
	operatorToken     = "operator of the end-to-end tests"
)

func (d *deployment) ingest(name string, static bool) *program {
	d.t.Helper()
	sellers := filepath.Join(d.dir, "sellers.json")
	text, err := json.Marshal([]map[string]any{
		{"id": demo.OwnSeller, "token": demo.OwnToken, "own": true, "notificationToken": notificationToken},
		{"id": demo.ExternalSeller, "notificationToken": notificationToken},
	})
	require.NoError(d.t, err)
	require.NoError(d.t, os.WriteFile(sellers, text, 0o600))
	addr := netfault.FreeAddr(d.t)
	if static {
		d.urls = append(d.urls, "http://"+addr)
	}
	peer := netfault.FreeAddr(d.t)
	return d.service("ingest", name, static, "ORDERLEDGER_INGEST_ADDR="+addr, "ORDERLEDGER_SELLERS_FILE="+sellers,
		"ORDERLEDGER_INGEST_PEER_ADDR="+peer, "ORDERLEDGER_INGEST_PEER_URL=http://"+peer, "ORDERLEDGER_INGEST_PEER_SECRET="+peerSecret,
		"ORDERLEDGER_INGEST_OPERATOR_TOKEN="+operatorToken, "ORDERLEDGER_INGEST_RATE=0", "ORDERLEDGER_DATA="+filepath.Join(d.dir, name), "ORDERLEDGER_DOCUMENTS="+filepath.Join(d.dir, "documents"))
}

func (d *deployment) projector(name string, static bool) *program {
	d.t.Helper()
	return d.service("projector", name, static)
}

func (d *deployment) emitter(name string, static bool) *program {
	d.t.Helper()
	settings := filepath.Join(d.dir, "endpoints.json")
	text, err := json.Marshal(map[string]any{"endpoints": []map[string]any{{
		"name": "wms", "url": "http://" + d.receiver.proxy.Addr + "/suborders", "secrets": []string{webhookSecret},
		"sellers": []string{"*"}, "locations": []string{"*"}, "channels": []string{"*"}, "start": "earliest",
		"timeout": "3s", "retry_schedule": []string{"200ms", "500ms", "1s"},
	}}})
	require.NoError(d.t, err)
	require.NoError(d.t, os.WriteFile(settings, text, 0o600))
	return d.service("emitter", name, static, "ORDERLEDGER_EMITTER_ENDPOINTS_FILE="+settings)
}

// sql opens the tables, not through the proxy.
func (d *deployment) sql() driver.Conn {
	d.t.Helper()
	return openTables(d.t, d.clickhouse.addr, clickhouse.Auth{
		Database: d.clickhouse.database, Username: d.clickhouse.user, Password: d.clickhouse.password,
	})
}

// openTables connects to a database of ClickHouse, as the default user unless another is named.
func openTables(t testing.TB, addr string, as clickhouse.Auth) driver.Conn {
	t.Helper()
	if as.Username == "" {
		as.Username = "default"
	}
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{addr}, Auth: as})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// repair undoes whatever faults may have left, and waits until every instance is ready.
func (d *deployment) repair() {
	d.t.Helper()
	require.NoError(d.t, d.receiver.proxy.Enable())
	require.NoError(d.t, d.clickhouse.proxy.Enable())
	d.receiver.ClearFailures("")
	for _, p := range d.brokerProxies {
		p.Heal()
		p.Enable()
	}
	all := d.services()
	if d.clickhouse.process != nil {
		all = append(all, d.clickhouse.process)
	}
	for _, p := range all {
		p.resume()
		p.start()
	}
	for _, p := range d.services() {
		require.NoError(d.t, p.awaitReady(d.t.Context(), 4*testkit.Limit))
	}
}

// panicked returns the names of the services whose log has a panic.
func (d *deployment) panicked() []string {
	var names []string
	for _, p := range d.services() {
		text, err := os.ReadFile(p.log.Name())
		log := "\n" + string(text)
		found := func(sign string) bool { return strings.Contains(log, sign) }
		if err != nil || slices.ContainsFunc([]string{"\npanic: ", "\nfatal error: ", "DATA RACE"}, found) {
			names = append(names, p.name)
		}
	}
	return names
}

// awaitCaughtUp waits until every instance reports that the ledger has caught up.
func (d *deployment) awaitCaughtUp(limit time.Duration) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), limit)
	defer cancel()
	require.NoError(d.t, awaitCaughtUp(ctx, d.urls), "the ledger has not caught up within %s", limit)
}
