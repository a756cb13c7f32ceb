package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/embedded/broker"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// childDir names the folder of a process that is there to be killed.
const childDir = "ORDERLEDGER_TEST_BROKER_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir, os.Getenv(childDir+"_NAME")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if dir := os.Getenv(fillingDir); dir != "" {
		if err := filling(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child commits a record, aborts one, leaves one in an open transaction, says so, and waits for its end.
func child(dir, name string) error {
	ctx := context.Background()
	b := broker.New(config(dir), slog.New(slog.DiscardHandler))
	if err := b.Start(ctx); err != nil {
		return err
	}
	cfg := testkit.KafkaConfig([]string{b.Addr()}, 1)
	// The same id at every boot is the worst case; owners add the nonce.
	client, err := kgo.NewClient(append(kafka.Options(cfg), kgo.TransactionalID("same"), kgo.DefaultProduceTopic(topic))...)
	if err != nil {
		return err
	}
	if _, err := kafka.EnsureTopics(ctx, client, cfg, kafka.Embedded); err != nil {
		return err
	}
	for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := client.BeginTransaction(); err != nil {
			return err
		}
		value := name + " committed"
		if !end {
			value = name + " aborted"
		}
		if err := client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
			return err
		}
		if err := client.EndTransaction(ctx, end); err != nil {
			return err
		}
	}
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord(name+" open"), kgo.StringRecord(name+" open")).FirstErr(); err != nil {
		return err
	}
	fmt.Println("ready") //nolint:forbidigo // The parent process reads it.
	select {}
}

// killed runs a child on a folder and kills it with its transaction open, after meanwhile has run beside it.
func killed(t *testing.T, dir, name string, meanwhile func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childDir+"_NAME="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), "the child ended early")
	require.Equal(t, "ready", lines.Text())
	meanwhile()
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
}

// No transaction that was open at a kill ever becomes visible, and no committed one is lost or hidden.
func TestBrokerAbortsOpenTransactionsAfterAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []string
	// The second kill is the one that pairs what the first left open with a later commit, if nothing was written in
	// between.
	for _, name := range []string{"first", "second", "third"} {
		killed(t, dir, name, func() {
			err := broker.New(config(dir), testkit.Logger(t)).Start(t.Context())
			require.ErrorContains(t, err, "another process uses this folder")
		})
		want = append(want, name+" committed", name+" committed")
	}

	b := start(t, config(dir))
	require.True(t, b.Unclean())
	require.Equal(t, want, read(t, b))
	write(t, b, "same", "after")
	want = append(want, "after")
	require.Equal(t, want, read(t, b), "later commits of the same producer are visible")
	require.NoError(t, b.Close())

	b = start(t, config(dir))
	require.False(t, b.Unclean())
	require.Equal(t, want, read(t, b))
}
