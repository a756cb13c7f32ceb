package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// session is the session timeout of every group of the services: the least that a broker allows by default.
const session = 6 * time.Second

// webhookSecret signs what the emitter sends.
const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// peerSecret signs what ingest instances ask of each other.
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

// towns numbers the ledgers of this process.
var towns atomic.Int64

// plan says what a town is made of.
type plan struct {
	instances int // Of each service.
	lanes     int
	proxied   bool // Whether each service reaches the brokers through a proxy of its own.
}

// town is the whole ledger as its users run it: instances of the three services, each a process, an Apache Kafka, a
// ClickHouse and a receiver.
type town struct {
	t       testing.TB
	plan    plan
	dir     string // Logs and data; it stays when the test fails.
	bin     string
	cluster string
	kafka   *brokers

	ingests, projectors, emitters      []*program
	urls                               []string                // Of the ingests' APIs.
	brokerProxies                      map[string]*brokerProxy // By the program's name.
	clickhouse                         *program                // Nil when the server is another's.
	clickhouseAddr                     string                  // Where it listens.
	clickhouseUser, clickhousePassword string
	clickhouseProxy                    *netfault.Proxy // Where the services find it.
	database                           string
	receiver                           *testkit.Receiver
	receiverProxy                      *netfault.Proxy
	visitors                           atomic.Int64 // Instances that came for a while.
	clickhouseBusy, receiverBusy       sync.Mutex   // Held by the fault that has it in hand.
}

// brokerProxy is the network between one service and the brokers.
type brokerProxy struct {
	*netfault.LossyProxy
	busy sync.Mutex // Held by the fault that has it in hand.
}

// newTown builds the programs, starts everything and waits until it is ready.
func newTown(t testing.TB, b *brokers, p plan) *town {
	t.Helper()
	n := towns.Add(1)
	tw := &town{
		t: t, plan: p, kafka: b, cluster: fmt.Sprintf("town-%d-%d", os.Getpid(), n), database: "orderledger", brokerProxies: map[string]*brokerProxy{},
	}
	var err error
	tw.bin, err = buildAll()
	require.NoError(t, err)
	tw.dir, err = os.MkdirTemp("", "orderledger-"+tw.cluster+"-") //nolint:usetesting // It must outlive a test that fails.
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs and data of the services: %s", tw.dir)
			return
		}
		_ = os.RemoveAll(tw.dir)
	})
	tw.receiver = testkit.NewReceiver(t, webhookSecret)
	host, _, _ := strings.Cut(strings.TrimPrefix(tw.receiver.URL(), "http://"), "/")
	tw.receiverProxy = netfault.NewProxy(t, host)
	tw.startClickHouse()
	for i := range p.instances {
		tw.ingests = append(tw.ingests, tw.ingest(fmt.Sprintf("ingest-%d", i+1), true))
		tw.projectors = append(tw.projectors, tw.projector(fmt.Sprintf("projector-%d", i+1), true))
		tw.emitters = append(tw.emitters, tw.emitter(fmt.Sprintf("emitter-%d", i+1), true))
	}
	for _, s := range tw.services() {
		s.start()
	}
	for _, s := range tw.services() {
		require.NoError(t, s.awaitReady(t.Context(), 2*testkit.Limit))
	}
	return tw
}

// services are all programs of ours but ClickHouse.
func (tw *town) services() []*program {
	return append(append(append([]*program{}, tw.ingests...), tw.projectors...), tw.emitters...)
}

func (tw *town) startClickHouse() {
	tw.t.Helper()
	if addr := os.Getenv(testkit.EnvClickHouse); addr != "" {
		tw.t.Logf("testkit: backend ClickHouse server (%s)", addr)
		tw.clickhouseAddr, _, _ = strings.Cut(addr, ",")
		tw.clickhouseUser, tw.clickhousePassword = os.Getenv(testkit.EnvClickHouseUser), os.Getenv(testkit.EnvClickHousePassword)
		tw.database = strings.ReplaceAll(tw.cluster, "-", "_")
	} else {
		if _, err := engine.Locate(); err != nil {
			tw.t.Skip(err)
		}
		tw.t.Log("testkit: backend embedded ClickHouse " + engine.Version + " in a process of its own")
		tw.clickhouseAddr = netfault.FreeAddr(tw.t)
		tw.clickhouse = newProgram(tw.t, tw.dir, "clickhouse", filepath.Join(tw.bin, "orderledger"), nil, []string{
			"up", "--only", "clickhouse", "--data", filepath.Join(tw.dir, "clickhouse"), "--clickhouse-listen", tw.clickhouseAddr,
			"--clickhouse-http-listen", netfault.FreeAddr(tw.t), "--quiet",
		})
		tw.clickhouse.start()
	}
	tw.clickhouseProxy = netfault.NewProxy(tw.t, tw.clickhouseAddr)
}

// environment is what every service is told.
func (tw *town) environment(name string) []string {
	addrs := tw.kafka.addrs
	if tw.plan.proxied {
		p := &brokerProxy{LossyProxy: netfault.NewLossyProxy(tw.t)}
		tw.brokerProxies[name] = p
		addrs = p.Brokers(addrs)
	}
	return []string{
		"ORDERLEDGER_KAFKA_BROKERS=" + strings.Join(addrs, ","),
		"ORDERLEDGER_CLUSTER=" + tw.cluster,
		fmt.Sprintf("ORDERLEDGER_LANES=%d", tw.plan.lanes),
		"ORDERLEDGER_CLICKHOUSE_ADDR=" + tw.clickhouseProxy.Addr,
		"ORDERLEDGER_CLICKHOUSE_DATABASE=" + tw.database,
		"ORDERLEDGER_CLICKHOUSE_USER=" + tw.clickhouseUser,
		"ORDERLEDGER_CLICKHOUSE_PASSWORD=" + tw.clickhousePassword,
		"ORDERLEDGER_INBOX_KEEP=0",
	}
}

// service prepares an instance. A resident keeps its name over restarts, so that the groups know it again.
func (tw *town) service(kind, name string, resident bool, env ...string) *program {
	tw.t.Helper()
	upper := "ORDERLEDGER_" + strings.ToUpper(kind)
	admin := netfault.FreeAddr(tw.t)
	env = append(append(tw.environment(name), env...), upper+"_ADMIN_ADDR="+admin, upper+"_SESSION_TIMEOUT="+session.String())
	if resident {
		env = append(env, upper+"_INSTANCE_ID="+name)
	}
	p := newProgram(tw.t, tw.dir, name, filepath.Join(tw.bin, kind), env, nil)
	p.ready = "http://" + admin + "/readyz"
	return p
}

func (tw *town) ingest(name string, resident bool) *program {
	tw.t.Helper()
	sellers := filepath.Join(tw.dir, "sellers.json")
	text, err := json.Marshal([]map[string]any{{"id": demo.OwnSeller, "token": demo.OwnToken, "own": true}})
	require.NoError(tw.t, err)
	require.NoError(tw.t, os.WriteFile(sellers, text, 0o600))
	addr := netfault.FreeAddr(tw.t)
	if resident {
		tw.urls = append(tw.urls, "http://"+addr)
	}
	peer := netfault.FreeAddr(tw.t)
	return tw.service("ingest", name, resident, "ORDERLEDGER_INGEST_ADDR="+addr, "ORDERLEDGER_SELLERS_FILE="+sellers,
		"ORDERLEDGER_INGEST_PEER_ADDR="+peer, "ORDERLEDGER_INGEST_PEER_URL=http://"+peer, "ORDERLEDGER_INGEST_PEER_SECRET="+peerSecret,
		"ORDERLEDGER_DATA="+filepath.Join(tw.dir, name), "ORDERLEDGER_DOCUMENTS="+filepath.Join(tw.dir, "documents"))
}

func (tw *town) projector(name string, resident bool) *program {
	tw.t.Helper()
	return tw.service("projector", name, resident)
}

func (tw *town) emitter(name string, resident bool) *program {
	tw.t.Helper()
	settings := filepath.Join(tw.dir, "endpoints.json")
	text, err := json.Marshal(map[string]any{"endpoints": []map[string]any{{
		"name": "wms", "url": "http://" + tw.receiverProxy.Addr + "/suborders", "secrets": []string{webhookSecret},
		"timeout": "3s", "retry_schedule": []string{"200ms", "500ms", "1s"},
	}}})
	require.NoError(tw.t, err)
	require.NoError(tw.t, os.WriteFile(settings, text, 0o600))
	return tw.service("emitter", name, resident, "ORDERLEDGER_EMITTER_ENDPOINTS_FILE="+settings)
}

// sql opens the tables, without the proxy.
func (tw *town) sql() driver.Conn {
	tw.t.Helper()
	return openTables(tw.t, tw.clickhouseAddr, clickhouse.Auth{
		Database: tw.database, Username: tw.clickhouseUser, Password: tw.clickhousePassword,
	})
}

// openTables connects to a database of ClickHouse, as the default user if no other is named.
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

// mend undoes what faults may have left and waits until every instance is ready again.
func (tw *town) mend() {
	tw.t.Helper()
	require.NoError(tw.t, tw.receiverProxy.Enable())
	require.NoError(tw.t, tw.clickhouseProxy.Enable())
	tw.receiver.ClearFailures("")
	for _, p := range tw.brokerProxies {
		p.Heal()
		p.Enable()
	}
	all := tw.services()
	if tw.clickhouse != nil {
		all = append(all, tw.clickhouse)
	}
	for _, p := range all {
		p.resume()
		p.start()
	}
	for _, p := range tw.services() {
		require.NoError(tw.t, p.awaitReady(tw.t.Context(), 4*testkit.Limit))
	}
}

// panicked returns the names of programs whose log has a panic.
func (tw *town) panicked() []string {
	var names []string
	for _, p := range tw.services() {
		text, err := os.ReadFile(p.log.Name())
		if err != nil || strings.Contains(string(text), "\npanic: ") || strings.Contains(string(text), "\nfatal error: ") || strings.Contains(string(text), "DATA RACE") || strings.HasPrefix(string(text), "panic: ") {
			names = append(names, p.name)
		}
	}
	return names
}

// settle waits until the ledger says that it has caught up, everywhere.
func (tw *town) settle(limit time.Duration) {
	tw.t.Helper()
	ctx, cancel := context.WithTimeout(tw.t.Context(), limit)
	defer cancel()
	require.NoError(tw.t, awaitCaughtUp(ctx, tw.urls), "the ledger does not come to rest within %s", limit)
}
