package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The seller who calls. It is an own seller, because the ledger executes only calls of own sellers itself.
const (
	sellerID    = "bench-seller"
	sellerToken = "bench-token"
)

// program is an ingest service as a process, with default settings and its log in a file.
type program struct {
	name       string
	url, admin string
	cmd        *exec.Cmd
	log        *os.File
	exited     chan struct{}
}

// programs builds and starts ingest services.
type programs struct {
	dir, binary string
	brokers     []string
}

func newPrograms(ctx context.Context, s settings) (*programs, error) {
	dir, err := os.MkdirTemp("", "orderledger-bench-")
	if err != nil {
		return nil, err
	}
	p := &programs{dir: dir, binary: filepath.Join(dir, "ingest"), brokers: s.brokers}
	sellers, err := json.Marshal([]map[string]any{{"id": sellerID, "token": sellerToken, "own": true}})
	if err == nil {
		err = os.WriteFile(p.sellers(), sellers, 0o600)
	}
	if err == nil {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", p.binary, "./cmd/ingest")
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // As in a release.
		var text []byte
		if text, err = build.CombinedOutput(); err != nil {
			err = fmt.Errorf("build ingest: %w\n%s", err, text)
		}
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *programs) close()          { _ = os.RemoveAll(p.dir) }
func (p *programs) sellers() string { return filepath.Join(p.dir, "sellers.json") }

// start starts an instance that its peers can reach.
func (p *programs) start(ctx context.Context, name string) (*program, error) {
	var addrs [3]string
	for i := range addrs {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		addrs[i] = ln.Addr().String()
		_ = ln.Close() // Unlikely to be taken before the instance listens.
	}
	log, err := os.Create(filepath.Join(p.dir, name+".log"))
	if err != nil {
		return nil, err
	}
	s := &program{
		name: name, url: "http://" + addrs[0], admin: "http://" + addrs[1], log: log, exited: make(chan struct{}),
	}
	s.cmd = exec.Command(p.binary)
	s.cmd.Stderr = log
	s.cmd.Env = append(os.Environ(),
		"ORDERLEDGER_INGEST_ADDR="+addrs[0], "ORDERLEDGER_INGEST_ADMIN_ADDR="+addrs[1],
		"ORDERLEDGER_INGEST_PEER_ADDR="+addrs[2], "ORDERLEDGER_INGEST_PEER_URL=http://"+addrs[2],
		"ORDERLEDGER_INGEST_PEER_SECRET=a secret of the benchmarks alone",
		"ORDERLEDGER_INGEST_INSTANCE_ID="+name, "ORDERLEDGER_INGEST_RATE=0",
		"ORDERLEDGER_KAFKA_BROKERS="+strings.Join(p.brokers, ","),
		"ORDERLEDGER_DATA="+filepath.Join(p.dir, name), "ORDERLEDGER_SELLERS_FILE="+p.sellers(),
		"ORDERLEDGER_INGEST_OPEN=true",
		"ORDERLEDGER_CLICKHOUSE_ADDR=127.0.0.1:1", // Nobody listens there; only reads need it.
	)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start ingest: %w", err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	return s, nil
}

// stop ends the instance as an operator does, with SIGTERM. Another instance takes its lanes.
func (s *program) stop() {
	if s == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	_ = s.log.Close()
}

// metric returns the sum of all series of a metric.
func (s *program) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	sum := 0.0
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), name)
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		v, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum += v
	}
	return sum, lines.Err()
}

// await waits until a metric meets a condition.
func (s *program) await(ctx context.Context, name string, met func(float64) bool) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		v, err := s.metric(ctx, name)
		if err == nil && met(v) {
			return nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-s.exited:
			return fmt.Errorf("%s has ended, see %s", s.name, s.log.Name())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s: %s is %g: %w", s.name, name, v, ctx.Err()), err)
		}
	}
}

const (
	metricOpen   = "orderledger_journal_lanes_open"
	metricEvents = "orderledger_journal_events_total"
	metricCPU    = "process_cpu_seconds_total"
)

// opens waits until the instance owns this many open lanes.
func (s *program) opens(ctx context.Context, lanes int) error {
	return s.await(ctx, metricOpen, func(v float64) bool { return v == float64(lanes) })
}
