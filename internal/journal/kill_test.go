package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/embedded/broker"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// childDir names the folder of a child process, which is started to be killed; childName says which child it is.
const (
	childDir  = "ORDERLEDGER_TEST_JOURNAL_CHILD"
	childName = childDir + "_NAME"
	killLanes = 2
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, child(context.Background(), dir, os.Getenv(childName)))
		os.Exit(1) // It should have been killed.
	}
	os.Exit(m.Run())
}

// embeddedStack starts the embedded broker on a folder, flushing each write: most of the time is then spent between the
// two partitions of a commit, where a kill tears it.
func embeddedStack(ctx context.Context, dir string) (*broker.Broker, Config, []kgo.Opt, error) {
	b := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: filepath.Join(dir, "broker"), SyncWrites: true}, slog.New(slog.DiscardHandler))
	if err := b.Start(ctx); err != nil {
		return nil, Config{}, nil, err
	}
	kcfg := testkit.KafkaConfig([]string{b.Addr()}, killLanes)
	client, err := kgo.NewClient(kafka.Options(kcfg)...)
	if err != nil {
		return nil, Config{}, nil, err
	}
	defer client.Close()
	if _, err := kafka.EnsureTopics(ctx, client, kcfg, kafka.Embedded); err != nil {
		return nil, Config{}, nil, err
	}
	cfg := DefaultConfig()
	cfg.Lanes, cfg.StoreDir, cfg.Embedded = killLanes, filepath.Join(dir, "store"), true
	cfg.Prefix = kafka.TransactionalPrefix(cfg.Cluster, b.Boot())
	return b, cfg, kafka.Options(kcfg), nil
}

// child runs a broker and a journal, submits inputs and prints the answers, until it is killed.
func child(ctx context.Context, dir, name string) error {
	_, cfg, options, err := embeddedStack(ctx, dir)
	if err != nil {
		return err
	}
	j, err := New(cfg, Deps{Options: options, Decode: decodeToy})
	if err != nil {
		return err
	}
	j.decide = decideToy
	inbox, err := NewInbox(killLanes, options...)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return j.Run(ctx) })
	for worker := range 2 {
		g.Go(func() error { return commands(ctx, j, fmt.Sprint(name, "-", worker)) })
	}
	g.Go(func() error { return notifications(ctx, inbox, name) })
	return g.Wait()
}

func commands(ctx context.Context, j *Journal, name string) error {
	for n := 0; ; n++ {
		id := fmt.Sprint(name, "-", n)
		for _, r := range j.SubmitAll(ctx, []Command{
			keyed(createCmd(id), "create"), keyed(cmd(id, "note", "1"), "note"), keyed(cmd(id, "reject", ""), "reject"), cmd(id, "note", "2"),
		}) {
			switch {
			case errors.Is(r.Err, ErrNotOwner): // Not assigned yet.
			case r.Err != nil:
				return r.Err
			default:
				// The parent process reads it, even after this one was killed.
				_, _ = fmt.Fprintln(os.Stdout, "answered", id, r.Receipt.Lane, r.Receipt.Version, r.Receipt.Offset)
			}
		}
	}
}

// notifications returns notifications of which the first waits for the creation after it.
func notifications(ctx context.Context, inbox *Inbox, name string) error {
	for n := 0; ; n++ {
		id := fmt.Sprint(name, "-n", n)
		for _, r := range []InboxRecord{
			note(id, "early", toy{Kind: "note"}), note(id, "create", toy{Kind: "create"}), note(id, "stale", toy{Kind: "stale"}),
			note(id, "note", toy{Kind: "note", Events: 2}), note(id, "note", toy{Kind: "note", Events: 2}),
		} {
			if _, _, err := inbox.Append(ctx, r); err != nil {
				return err
			}
		}
	}
}

// kill runs a child until it has answered some commands, kills it, and returns the answers.
func kill(t *testing.T, dir, name string, after int) (answered []string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), childDir+"="+dir, childName+"="+name)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		answered = append(answered, lines.Text())
		if len(answered) == after {
			require.NoError(t, c.Process.Kill())
		}
	}
	require.GreaterOrEqual(t, len(answered), after, "the child ended early")
	require.Error(t, c.Wait())
	return answered
}

// A kill of the embedded broker loses nothing that was answered, and repeats nothing.
func TestTakeoverAfterBrokerKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var answered []string
	for round := range 8 {
		answered = append(answered, kill(t, dir, strconv.Itoa(round), 4*(5+7*round)+round%4)...)
	}

	stack, cfg, options, err := embeddedStack(t.Context(), dir)
	require.NoError(t, err)
	require.True(t, stack.Unclean())
	b := &bundle{TB: t, brokers: []string{stack.Addr()}, lanes: killLanes}
	b.inbox = b.newInbox()
	j := b.start(func(c *Config, d *Deps, _ *Journal) { *c, d.Options = cfg, options }).ready()
	for lane := range int32(killLanes) {
		j.decided(lane, b.append(note(idOf(lane), "last", toy{Kind: "create"})))
	}
	t.Log("repaired in this boot:", counted(j.metrics.repaired.WithLabelValues("voided")), "voided,",
		counted(j.metrics.repaired.WithLabelValues("restored")), "restored")
	j.stop()
	k := b.check()
	restored, voided := 0, 0
	stored := map[string]bool{}
	for lane := range k.events {
		for _, e := range k.events[lane] {
			stored[fmt.Sprint("answered ", e.ShipmentID, " ", lane, " ", e.Version, " ", e.offset)] = true
		}
		for _, d := range k.decisions[lane] {
			if d.void {
				voided++
				continue
			}
			if d.GetReason() == string(ReasonRestored) {
				restored++
			}
			if d.GetOutcome() == rejected {
				stored[fmt.Sprint("answered ", d.Envelope.ShipmentID, " ", lane, " 0 ", d.offset)] = true
			}
		}
	}
	t.Log(len(answered), "answers,", restored, "decisions restored,", voided, "voided")
	for _, a := range answered {
		require.True(t, stored[a], a)
	}
	// A store that is rebuilt from a repaired ledger is the same.
	j = b.start(func(c *Config, d *Deps, _ *Journal) {
		*c, d.Options = cfg, options
		c.StoreDir = t.TempDir()
	}).ready()
	j.mustSubmit(createCmd("after"))
	j.stop()
	b.check()
	require.NoError(t, stack.Close())
}

// idOf returns a shipment id of a lane.
func idOf(lane int32) string {
	for n := 0; ; n++ {
		if id := fmt.Sprint("last", n); events.Lane(id, killLanes) == lane {
			return id
		}
	}
}
