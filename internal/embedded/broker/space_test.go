package broker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/disk"
	"github.com/orderledger/orderledger/internal/embedded/broker"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// usable returns what the broker says about the space of its disk.
func usable(t *testing.T, b *broker.Broker) kadm.DescribedLogDir {
	t.Helper()
	dirs, err := kadm.NewClient(testkit.Client(t, []string{b.Addr()})).DescribeAllLogDirs(t.Context(), nil)
	require.NoError(t, err)
	all := dirs.Sorted()
	require.Len(t, all, 1)
	return all[0]
}

// A broker whose disk is full refuses records and nothing else, and goes on by itself when there is space again.
func TestBrokerRefusesRecordsWhenDiskIsFull(t *testing.T) {
	t.Parallel()
	dir := testkit.SmallDisk(t, "16m") // Its reserve is 0.8 MiB.
	b := start(t, config(dir))
	write(t, b, "before", "before")
	require.Equal(t, dir, usable(t, b).Dir)
	require.Greater(t, usable(t, b).UsableBytes, int64(8<<20))
	require.Positive(t, usable(t, b).Topics[topic][0].Size)

	// This transaction has its records in the log before the disk is full.
	open := testkit.Client(t, []string{b.Addr()}, kgo.TransactionalID("open"), kgo.DefaultProduceTopic(topic))
	require.NoError(t, open.BeginTransaction())
	require.NoError(t, open.ProduceSync(t.Context(), kgo.StringRecord("open")).FirstErr())

	free := testkit.Fill(t, dir, 600<<10)
	require.Zero(t, usable(t, b).UsableBytes)
	client := testkit.Client(t, []string{b.Addr()}, kgo.RecordRetries(0), kgo.DefaultProduceTopic(topic))
	require.ErrorIs(t, client.ProduceSync(t.Context(), kgo.StringRecord("refused")).FirstErr(), kerr.KafkaStorageError)
	require.NoError(t, open.EndTransaction(t.Context(), kgo.TryCommit))
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 1, -1)
	require.NoError(t, kadm.NewClient(client).CommitAllOffsets(t.Context(), "group", offsets))

	free()
	require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord("after")).FirstErr())
	client.Close()
	require.Equal(t, []string{"before", "open", "after"}, read(t, b))
	require.NoError(t, b.Close())
	b = start(t, config(dir))
	require.False(t, b.Unclean())
	require.Equal(t, []string{"before", "open", "after"}, read(t, b))
}

// Another program may fill what is left of the reserve. Then nothing is written: the end of a transaction that kfake
// could not write would be answered with success.
func TestBrokerRefusesEndOfTransactionBelowReserve(t *testing.T) {
	t.Parallel()
	dir := testkit.SmallDisk(t, "16m")
	b := start(t, config(dir))
	client := testkit.Client(t, []string{b.Addr()}, kgo.TransactionalID("id"), kgo.DefaultProduceTopic(topic))
	require.NoError(t, client.BeginTransaction())
	require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord("open")).FirstErr())
	free := testkit.Fill(t, dir, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.Error(t, client.EndTransaction(ctx, kgo.TryCommit))
	require.Empty(t, read(t, b))
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 1, -1)
	admin := kadm.NewClient(testkit.Client(t, []string{b.Addr()}))
	require.ErrorIs(t, admin.CommitAllOffsets(t.Context(), "group", offsets), kerr.KafkaStorageError)
	_, err := admin.CreateTopic(t.Context(), 1, 1, nil, "another")
	require.ErrorIs(t, err, kerr.KafkaStorageError)
	updated, err := admin.UpdatePartitions(t.Context(), 2, topic)
	require.NoError(t, err)
	require.ErrorIs(t, updated[topic].Err, kerr.KafkaStorageError)
	free()
	require.NoError(t, admin.CommitAllOffsets(t.Context(), "group", offsets))
	client.Close()
	write(t, b, "id", "after") // It takes over the id, which aborts what is open.
	require.Equal(t, []string{"after"}, read(t, b))
	require.NoError(t, b.Close())
	require.Equal(t, []string{"after"}, read(t, start(t, config(dir))))
}

// fillingDir names the folder of a process that writes until its broker fails.
const fillingDir = "ORDERLEDGER_TEST_BROKER_FILLING"

// filling commits records and prints those that were acknowledged, until the broker fails.
func filling(dir string) error {
	ctx := context.Background()
	cfg := config(dir)
	cfg.ReserveBytes = -1
	b := broker.New(cfg, slog.New(slog.DiscardHandler))
	if err := b.Start(ctx); err != nil {
		return err
	}
	brokers := testkit.KafkaConfig([]string{b.Addr()}, 1)
	client, err := kgo.NewClient(append(kafka.Options(brokers), kgo.TransactionalID("id"), kgo.DefaultProduceTopic(topic))...)
	if err != nil {
		return err
	}
	if _, err := kafka.EnsureTopics(ctx, client, brokers, kafka.Embedded); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if os.Getenv(fillingDir+"_MARKER") != "" {
			if err := markerMeetsEnd(ctx, dir, client); err == nil {
				fmt.Println("acknowledged") //nolint:forbidigo // The parent process reads it.
			}
			return
		}
		for n := 0; ; n++ {
			value := fmt.Sprintf("%d %s", n, strings.Repeat("x", 1+(n*7919)%9000)) // Ends anywhere within a page.
			if client.BeginTransaction() != nil || client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr() != nil ||
				client.EndTransaction(ctx, kgo.TryCommit) != nil {
				return
			}
			fmt.Println(n) //nolint:forbidigo // The parent process reads it.
		}
	}()
	err = b.Await(ctx)
	select {
	case <-ended:
	case <-time.After(time.Second): // The client asks for the outcome for ever; an answer would be there by now.
	}
	if !disk.Full(err) {
		return fmt.Errorf("the broker ended for another reason: %w", err)
	}
	if os.Getenv(fillingDir+"_MARKER") != "" {
		// There is space again, and still a broker that failed must not write down what it believes.
		if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
			return err
		}
	}
	if b.Close() == nil {
		return errors.New("a broker that failed was closed without an error")
	}
	fmt.Println(err) //nolint:forbidigo // As above.
	return nil
}

// page is the unit in which a disk in memory gives space.
const page = 4096

// markerMeetsEnd commits a transaction whose records fill a page of the log to its last bytes, on a disk that is full
// by the time of the commit. Only the marker of the commit does not fit any more.
func markerMeetsEnd(ctx context.Context, dir string, client *kgo.Client) error {
	segment := filepath.Join(dir, "log", "partitions", topic+"-0", "0.dat")
	commit := func(bytes int, between func() error) (size int64, err error) {
		if err := client.BeginTransaction(); err != nil {
			return 0, err
		}
		if err := client.ProduceSync(ctx, kgo.StringRecord(strings.Repeat("x", bytes))).FirstErr(); err != nil {
			return 0, err
		}
		info, err := os.Stat(segment)
		if err == nil {
			err = between()
		}
		if err != nil {
			return 0, err
		}
		return info.Size(), client.EndTransaction(ctx, kgo.TryCommit)
	}
	nothing := func() error { return nil }
	first, err := commit(2*page-500, nothing)
	if err != nil {
		return err
	}
	second, err := commit(2*page-500, nothing)
	if err != nil {
		return err
	}
	each := int(second-first) - (2*page - 500) // What a transaction takes beside its value.
	third := int(second) + each
	bytes := page - 10 - third%page
	if bytes < page/2 {
		bytes += page // Sizes of the same order, so that their own size takes as many bytes.
	}
	_, err = commit(bytes, func() error {
		ballast, err := os.Create(filepath.Join(dir, "ballast"))
		if err != nil {
			return err
		}
		for err == nil {
			_, err = ballast.Write(make([]byte, page))
		}
		return ballast.Close()
	})
	return err
}

// kfake answers a commit whose marker it could not write with success. No such answer may get out.
func TestBrokerFailsWhenMarkerIsNotWritten(t *testing.T) {
	t.Parallel()
	dir := testkit.SmallDisk(t, "4m")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fillingDir+"="+dir, fillingDir+"_MARKER=yes")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "no space left on device")
	require.NotContains(t, string(out), "acknowledged")
	require.Len(t, read(t, start(t, config(dir))), 2)
}

// A write that fails nevertheless ends the broker before it answers, and nothing that it acknowledged is lost.
func TestBrokerFailsWhenWritesFail(t *testing.T) {
	t.Parallel()
	dir := testkit.SmallDisk(t, "4m")
	free := testkit.Fill(t, dir, 2<<20)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fillingDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var lines []string
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	require.NoError(t, cmd.Wait())
	require.Contains(t, lines[len(lines)-1], "no space left on device")
	acknowledged := lines[:len(lines)-1]
	require.Greater(t, len(acknowledged), 100)

	free()
	b := start(t, config(dir))
	require.True(t, b.Unclean())
	var stored []string
	for _, v := range read(t, b) {
		n, _, _ := strings.Cut(v, " ")
		stored = append(stored, n)
	}
	require.GreaterOrEqual(t, len(stored), len(acknowledged), "an acknowledged record is lost")
	require.LessOrEqual(t, len(stored), len(acknowledged)+1, "only the last one was in doubt")
	require.Equal(t, acknowledged, stored[:len(acknowledged)])
	write(t, b, "next", "next")
	require.Equal(t, "next", read(t, b)[len(stored)])
}
