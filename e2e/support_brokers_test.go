package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// brokers is an Apache Kafka that only this package uses while it runs: its scenarios delete the ledger's topics and
// may kill brokers.
type brokers struct {
	addrs []string
	ctl   string // The command that takes "kill N" and "revive N"; empty when brokers can't be killed.
	n     int    // How many brokers there are.
	busy  sync.Mutex
}

// newBrokers deletes the ledger on the Kafka and returns it, or skips the test without a Kafka.
func newBrokers(t testing.TB) *brokers {
	t.Helper()
	b := &brokers{addrs: testkit.ApacheKafka(t), ctl: os.Getenv("ORDERLEDGER_TEST_KAFKA_CTL")}
	b.wipe(t)
	return b
}

// requireControl skips the test if brokers can't be killed.
func (b *brokers) requireControl(t testing.TB) {
	t.Helper()
	if b.ctl == "" {
		t.Skip(errNoControl)
	}
}

// client returns a client of these brokers, closed when the test ends.
func (b *brokers) client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	all := append([]kgo.Opt{kgo.SeedBrokers(b.addrs...), kgo.MetadataMinAge(100 * time.Millisecond)}, opts...)
	client, err := kgo.NewClient(all...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// wipe deletes every topic of a ledger and waits until none is left. Groups need no deletion: each deployment has its
// own names.
func (b *brokers) wipe(t testing.TB) {
	t.Helper()
	adm := kadm.NewClient(b.client(t))
	var topics []string
	for _, topic := range kafka.Topics() {
		topics = append(topics, topic.Name)
	}
	testkit.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		meta, err := adm.BrokerMetadata(ctx)
		if err != nil {
			return false
		}
		b.n = len(meta.Brokers)
		deleted, err := adm.DeleteTopics(ctx, topics...)
		if err != nil {
			return false
		}
		gone := true
		for _, d := range deleted {
			gone = gone && errors.Is(d.Err, kerr.UnknownTopicOrPartition)
		}
		return gone
	}, "the topics of the last ledger are deleted")
}

// kill ends broker n, counted from 1, with SIGKILL.
func (b *brokers) kill(ctx context.Context, n int) error { return b.control(ctx, "kill", n) }

// revive starts broker n again with its data and returns when it listens.
func (b *brokers) revive(ctx context.Context, n int) error { return b.control(ctx, "revive", n) }

func (b *brokers) control(ctx context.Context, verb string, n int) error {
	if b.ctl == "" {
		return errNoControl
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	words := append(strings.Fields(b.ctl), verb, strconv.Itoa(n))
	// To a file, not a pipe: the broker that the command starts keeps its output open.
	log, err := os.CreateTemp("", "orderledger-ctl")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w\n%s", strings.Join(words, " "), err, text)
	}
	return nil
}

var errNoControl = errors.New("brokers can't be killed: set ORDERLEDGER_TEST_KAFKA_CTL to a command that takes kill N and revive N")
