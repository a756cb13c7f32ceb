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

// brokers is an Apache Kafka that this package has to itself while it runs: its scenarios delete the ledger's topics,
// and may kill brokers.
type brokers struct {
	addrs []string
	ctl   string // Takes "kill N" and "revive N"; empty when there is no hand on the brokers.
	n     int    // How many brokers there are.
	busy  sync.Mutex
}

// newBrokers returns the Kafka without a ledger in it, or skips the test.
func newBrokers(t testing.TB) *brokers {
	t.Helper()
	b := &brokers{addrs: testkit.ApacheKafka(t), ctl: os.Getenv("ORDERLEDGER_TEST_KAFKA_CTL")}
	b.wipe(t)
	return b
}

// needHand skips the test when brokers can't be killed.
func (b *brokers) needHand(t testing.TB) {
	t.Helper()
	if b.ctl == "" {
		t.Skip(errNoCtl)
	}
}

// client returns a client of these brokers, closed when the test ends.
func (b *brokers) client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.addrs...), kgo.MetadataMinAge(100 * time.Millisecond)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// wipe deletes every topic of a ledger and waits until none is left. The groups of earlier ledgers have other names.
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
	}, "the topics of the last ledger are gone")
}

// kill ends broker n, counted from 1, as a power switch would.
func (b *brokers) kill(ctx context.Context, n int) error { return b.control(ctx, "kill", n) }

// revive starts it again with its data and returns when it listens.
func (b *brokers) revive(ctx context.Context, n int) error { return b.control(ctx, "revive", n) }

func (b *brokers) control(ctx context.Context, verb string, n int) error {
	if b.ctl == "" {
		return errNoCtl
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	words := append(strings.Fields(b.ctl), verb, strconv.Itoa(n))
	// The output goes to a file: a broker that is left running would keep a pipe open.
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

var errNoCtl = errors.New("no hand on the brokers: set ORDERLEDGER_TEST_KAFKA_CTL to a command that takes kill N and revive N")
