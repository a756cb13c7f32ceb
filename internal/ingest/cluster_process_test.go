package ingest_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// build returns the path of cmd/ingest, built once a cluster.
func (c *cluster) build() string {
	c.Helper()
	if c.program == "" {
		path := filepath.Join(c.TempDir(), "ingest")
		out, err := exec.CommandContext(c.Context(), "go", "build", "-o", path, "../../cmd/ingest").CombinedOutput()
		require.NoError(c, err, "%s", out)
		c.program = path
	}
	return c.program
}

// process is an instance of ingest as a process.
type process struct {
	c    *cluster
	id   string
	url  string
	peer string // Its URL for other instances.
	env  []string
	log  string // A file.
	cmd  *exec.Cmd
}

// launch starts a process under an instance id and waits until it listens.
func (c *cluster) launch(id string) *process {
	c.Helper()
	addr, peer, dir := freeAddr(c), freeAddr(c), c.TempDir()
	file := filepath.Join(dir, "sellers.json")
	require.NoError(c, os.WriteFile(file, []byte(`[{"id":"own","token":"`+ownToken+`","own":true}]`), 0o600))
	p := &process{c: c, id: id, url: "http://" + addr, peer: "http://" + peer, log: filepath.Join(dir, "log"), env: append(os.Environ(),
		"ORDERLEDGER_INGEST_ADDR="+addr, "ORDERLEDGER_INGEST_ADMIN_ADDR=off", "ORDERLEDGER_DATA="+dir, "ORDERLEDGER_INGEST_INSTANCE_ID="+id,
		"ORDERLEDGER_INGEST_PEER_ADDR="+peer, "ORDERLEDGER_INGEST_PEER_URL=http://"+peer,
		"ORDERLEDGER_INGEST_PEER_SECRET="+peerSecret, "ORDERLEDGER_INGEST_WORKERS=off",
		"ORDERLEDGER_SELLERS_FILE="+file, "ORDERLEDGER_KAFKA_BROKERS="+strings.Join(c.brokers, ","),
		"ORDERLEDGER_CLICKHOUSE_ADDR=127.0.0.1:1", "ORDERLEDGER_LOG_LEVEL=WARN", "ORDERLEDGER_INGEST_RATE=0",
		"ORDERLEDGER_INGEST_OPEN=true",
	)}
	c.Cleanup(func() {
		p.kill()
		if text, err := os.ReadFile(p.log); err == nil && c.Failed() {
			c.Logf("end of the log of %s: %s", id, text[max(0, len(text)-8<<10):])
		}
	})
	p.run()
	return p
}

func (p *process) run() {
	p.c.Helper()
	p.cmd = exec.CommandContext(p.c.Context(), p.c.build())
	p.cmd.Env = p.env
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(p.c, err)
	defer log.Close() // The process has a descriptor of its own.
	p.cmd.Stderr = log
	require.NoError(p.c, p.cmd.Start())
	testkit.Eventually(p.c, func() bool {
		resp, err := http.Get(p.url + "/")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return true
	}, p.id+" listens")
}

func (p *process) signal(s syscall.Signal) {
	p.c.Helper()
	require.NoError(p.c, p.cmd.Process.Signal(s))
}

// kill ends the process at once.
func (p *process) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait() // It reports the kill.
		p.cmd = nil
	}
}

// terminate stops the process in order and waits for it.
func (p *process) terminate() {
	p.c.Helper()
	p.signal(syscall.SIGTERM)
	require.NoError(p.c, p.cmd.Wait())
	p.cmd = nil
}

// assigned returns the lanes that the group assigns to each instance.
func (c *cluster) assigned() map[string][]int32 {
	c.Helper()
	out := map[string][]int32{}
	for _, m := range testkit.Members(c, c.client, kafka.GroupLanes("orderledger")) {
		a, ok := m.Assigned.AsConsumer()
		if !ok || m.InstanceID == nil {
			continue
		}
		for _, topic := range a.Topics {
			if topic.Topic == events.TopicEvents {
				out[*m.InstanceID] = topic.Partitions
			}
		}
	}
	return out
}

// settle waits until the lanes are spread over these processes and each has opened its lanes: until then the previous
// owner serves them.
func (c *cluster) settle(all ...*process) map[string][]int32 {
	c.Helper()
	var now map[string][]int32
	testkit.Eventually(c, func() bool {
		var settled bool
		now, settled = c.settled(all...)
		return settled
	}, fmt.Sprintf("the lanes are spread over %d processes", len(all)))
	return now
}

// settled reports whether the lanes are spread over these processes and open there, and which process has which.
func (c *cluster) settled(all ...*process) (map[string][]int32, bool) {
	c.Helper()
	now := c.assigned()
	openers, err := kadm.NewClient(c.client).FetchOffsets(c.Context(), kafka.GroupOwners("orderledger"))
	if err != nil {
		return now, false // No lane was ever opened.
	}
	lanes := 0
	for _, p := range all {
		for _, lane := range now[p.id] {
			if o, _ := openers.Lookup(events.TopicEvents, lane); o.Metadata != p.peer {
				return now, false
			}
			lanes++
		}
		if len(now[p.id]) == 0 {
			return now, false
		}
	}
	return now, len(now) == len(all) && lanes == c.lanes
}

// ends returns the ends of all lanes' events and decisions, uncommitted records included.
func (c *cluster) ends() []int64 {
	c.Helper()
	var out []int64
	for _, topic := range []string{events.TopicEvents, events.TopicDecisions} {
		for lane := range int32(c.lanes) {
			out = append(out, testkit.End(c, c.client, topic, lane))
		}
	}
	return out
}

func sorted(lanes []int32) []int32 { return slices.Sorted(slices.Values(lanes)) }
