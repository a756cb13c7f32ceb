package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Broker is one embedded broker. Its methods may be called from several
// goroutines.
type Broker struct {
	cfg  Config
	log  *slog.Logger
	boot string

	mu      sync.Mutex // Guards what follows.
	cluster *kfake.Cluster
	folder  *folder
	gate    *gate
	logs    *logger
	unclean bool
	closed  bool
}

// New returns a broker that does nothing until Start.
func New(cfg Config, log *slog.Logger) *Broker {
	var nonce [4]byte
	_, _ = rand.Read(nonce[:]) // Never fails, says its documentation.
	return &Broker{cfg: cfg, log: log, boot: hex.EncodeToString(nonce[:])}
}

// Start loads the folder, ends what a killed predecessor left open, and lets
// clients in. The context bounds starting only. A broker is started once.
func (b *Broker) Start(ctx context.Context) (err error) {
	if err := b.cfg.Validate(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.cluster != nil {
		return errors.New("embedded kafka: started or closed before")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()

	if b.cfg.DataDir != "" {
		if b.folder, err = openFolder(b.cfg.DataDir, b.boot); err != nil {
			return err
		}
		b.unclean = b.folder.unclean
		if err := b.checkSize(ctx); err != nil {
			return err
		}
	}
	b.gate, err = listen(ctx, b.cfg.Addr, b.cfg.Advertise)
	if err != nil {
		return err
	}
	b.gate.folder = b.folder
	b.logs = &logger{log: b.log}
	if b.cluster, err = kfake.NewCluster(b.options()...); err != nil {
		return fmt.Errorf("embedded kafka: load %q: %w", b.cfg.DataDir, err)
	}
	if b.unclean {
		ended, err := endOpenTransactions(ctx, b.gate)
		if err != nil {
			return fmt.Errorf("embedded kafka: recover %q after an unclean stop: %w", b.cfg.DataDir, err)
		}
		b.log.WarnContext(ctx, "embedded kafka was not stopped cleanly; transactions that were open are aborted",
			slog.Int("transactions", ended), slog.String("folder", b.cfg.DataDir))
	}
	b.gate.open()
	b.log.InfoContext(ctx, "embedded kafka listening", slog.String("addr", b.gate.Addr().String()), slog.String("boot", b.boot))
	return nil
}

// Run starts the broker, keeps it until ctx ends, and closes it. Its clients
// must have been closed by then.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return b.Close()
}

// Close writes everything down and frees the folder. It may be called more
// than once, and without Start. An error means that the next start will treat
// this stop as unclean.
func (b *Broker) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	return b.close()
}

func (b *Broker) close() error {
	var errs []error
	if b.cluster != nil {
		b.logs.watch()
		b.cluster.Close()
		errs = append(errs, b.logs.failed())
	}
	if b.gate != nil {
		errs = append(errs, b.gate.Close())
	}
	if b.folder != nil {
		// A folder that was marked before and never got through recovery
		// keeps its mark.
		clean := errors.Join(errs...) == nil && (!b.unclean || (b.gate != nil && b.gate.isOpen()))
		errs = append(errs, b.folder.close(clean))
	}
	b.cluster, b.gate, b.folder = nil, nil, nil
	b.closed = true
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close embedded kafka: %w", err)
	}
	return nil
}

// Addr returns the address clients connect to, or an empty string unless the
// broker runs.
func (b *Broker) Addr() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gate == nil {
		return ""
	}
	return b.gate.Addr().String()
}

// Boot returns the nonce of this boot. Transactional ids must hold it.
func (b *Broker) Boot() string { return b.boot }

// BootHandler answers with the nonce, for programs in other processes; mount
// it at /boot.
func (b *Broker) BootHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, b.boot+"\n") // A client that has gone needs no answer.
	})
}

// Unclean reports whether the previous process was killed with the folder in
// use. Transactions that wrote several partitions may then be torn.
func (b *Broker) Unclean() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unclean
}

func (b *Broker) options() []kfake.Opt {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID("embedded"),
		kfake.ListenFn(b.gate.listener),
		kfake.WithLogger(b.logs),
		kfake.BrokerConfigs(map[string]string{
			// One topic with a retention of its own makes the broker trim
			// all of them, those of the user too, after seven days.
			"log.retention.ms": "-1",
			// Ten years: a machine that was off for a week must not find
			// its consumers at the start again.
			"offsets.retention.minutes": "5256000",
		}),
	}
	if b.folder != nil {
		opts = append(opts, kfake.DataDir(b.folder.log))
		if b.cfg.SyncWrites {
			opts = append(opts, kfake.SyncWrites())
		}
	}
	return opts
}

// checkSize compares the log with what could be recovered: after an unclean
// stop all of it is read into memory at once.
func (b *Broker) checkSize(ctx context.Context) error {
	limit := b.cfg.MaxLogBytes
	if limit == 0 {
		limit = memory() / 2
	}
	if limit <= 0 {
		return nil
	}
	size, err := b.folder.size()
	if err != nil || size <= limit {
		return err
	}
	if b.unclean {
		return fmt.Errorf("embedded kafka %q: not stopped cleanly, and its log of %d MB is above %d MB, half of the memory; recovery reads all of it into memory. "+
			"Use a machine with more memory, or raise the limit; and move to a Kafka cluster", b.cfg.DataDir, size>>20, limit>>20)
	}
	b.log.WarnContext(ctx, "embedded kafka has outgrown this machine: after a kill its log could not be recovered; move to a Kafka cluster",
		slog.Int64("log_bytes", size), slog.Int64("limit_bytes", limit))
	return nil
}
