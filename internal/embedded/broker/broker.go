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

// Broker is one embedded broker. Its methods are safe for concurrent use.
type Broker struct {
	cfg  Config
	log  *slog.Logger
	boot string

	mu      sync.Mutex // Protects all below.
	cluster *kfake.Cluster
	folder  *folder
	ln      *listener
	logs    *logger
	unclean bool
	closed  bool

	failed chan struct{} // Closed when kfake could not write its log.
}

// New returns a broker that does nothing until Start.
func New(cfg Config, log *slog.Logger) *Broker {
	var nonce [4]byte
	_, _ = rand.Read(nonce[:]) // Never fails, says its documentation.
	return &Broker{cfg: cfg, log: log, boot: hex.EncodeToString(nonce[:]), failed: make(chan struct{})}
}

// Start loads the folder, ends the transactions that a killed process left open, and accepts clients. The context
// bounds the start only. A broker starts once.
func (b *Broker) Start(ctx context.Context) (err error) {
	if err := b.cfg.Validate(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.cluster != nil {
		return errors.New("embedded kafka: already started or closed")
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
	b.ln, err = listen(ctx, b.cfg.Addr, b.cfg.Advertise)
	if err != nil {
		return err
	}
	b.ln.folder = b.folder
	ln := b.ln
	b.logs = &logger{log: b.log, onFailure: func() {
		ln.cut()
		close(b.failed)
	}}
	if b.cluster, err = kfake.NewCluster(b.options()...); err != nil {
		return fmt.Errorf("embedded kafka: load %q: %w", b.cfg.DataDir, err)
	}
	if b.folder != nil {
		s := &space{dir: b.cfg.DataDir, reserve: b.cfg.ReserveBytes, log: b.log}
		s.refuse(b.cluster) //nolint:contextcheck // kfake's interface has no context.
		s.below(1)          //nolint:contextcheck // It logs that the disk is full already.
	}
	if b.unclean {
		ended, err := endOpenTransactions(ctx, b.ln)
		if err != nil {
			return fmt.Errorf("embedded kafka %q: end the transactions that an unclean stop left open: %w", b.cfg.DataDir, err)
		}
		b.log.WarnContext(ctx, "embedded kafka not stopped cleanly, open transactions aborted",
			slog.Int("transactions", ended), slog.String("folder", b.cfg.DataDir))
	}
	b.ln.open()
	b.log.InfoContext(ctx, "embedded kafka listening",
		slog.String("addr", b.ln.Addr().String()), slog.String("boot", b.boot))
	return nil
}

// Run starts the broker, keeps it running until ctx ends or it fails, and closes it. Its clients must have been closed
// by then.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.Start(ctx); err != nil {
		return err
	}
	return errors.Join(b.Await(ctx), b.Close())
}

// Await returns when ctx ends, with nil, or when the broker has failed: it could not write to its folder. Then it has
// closed all connections before it answered anything, and the process must end: only a new process can use the folder.
func (b *Broker) Await(ctx context.Context) error {
	select {
	case <-b.failed:
		return b.failure()
	case <-ctx.Done():
		return nil
	}
}

func (b *Broker) failure() error {
	return fmt.Errorf("embedded kafka %q: write the log: %w", b.cfg.DataDir, b.logs.failure())
}

// hasFailed reports whether Await would return an error.
func (b *Broker) hasFailed() bool {
	select {
	case <-b.failed:
		return true
	default:
		return false
	}
}

// Close flushes the log and frees the folder. It may be called more than once, and without Start. After an error the
// next start treats this stop as unclean. A broker that has failed stays as it is, with the lock of its folder, until
// the process ends: closing kfake would write down what it believes, and that may be more than what is in the log.
func (b *Broker) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if b.hasFailed() {
		return b.failure()
	}
	return b.close()
}

func (b *Broker) close() error {
	var errs []error
	if b.cluster != nil {
		b.logs.watch()
		b.cluster.Close()
		errs = append(errs, b.logs.failed())
	}
	if b.ln != nil {
		errs = append(errs, b.ln.Close())
	}
	if b.folder != nil {
		// A folder that was unclean before and whose open transactions were not ended stays unclean.
		clean := errors.Join(errs...) == nil && (!b.unclean || (b.ln != nil && b.ln.isOpen()))
		errs = append(errs, b.folder.close(clean))
	}
	b.cluster, b.ln, b.folder = nil, nil, nil
	b.closed = true
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close embedded kafka: %w", err)
	}
	return nil
}

// Addr returns the address that clients connect to; it is empty unless the broker runs.
func (b *Broker) Addr() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ln == nil {
		return ""
	}
	return b.ln.Addr().String()
}

// Boot returns the nonce of this boot. Transactional ids must contain it.
func (b *Broker) Boot() string { return b.boot }

// BootHandler serves the nonce to programs in other processes. Mount it at /boot.
func (b *Broker) BootHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, b.boot+"\n") // A client that is gone needs no answer.
	})
}

// Unclean reports whether the previous process was killed while it used the folder. Transactions that wrote several
// partitions may then be torn.
func (b *Broker) Unclean() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unclean
}

func (b *Broker) options() []kfake.Opt {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID("embedded"),
		kfake.ListenFn(b.ln.listenFn),
		kfake.WithLogger(b.logs),
		kfake.BrokerConfigs(map[string]string{
			// As soon as one topic has a retention of its own, kfake trims all topics after seven days, also those without one.
			"log.retention.ms": "-1",
			// Ten years: after a week without power, consumers must continue from their offsets and not from the start.
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

// checkSize compares the size of the log with the memory: after an unclean stop the whole log is read into memory.
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
		return fmt.Errorf("embedded kafka %q: not stopped cleanly, and its log of %d MB is larger than %d MB, half of the "+
			"memory, into which this start reads all of it: use a machine with more memory, then move to a Kafka cluster",
			b.cfg.DataDir, size>>20, limit>>20)
	}
	b.log.WarnContext(ctx, "log of embedded kafka too large to load after a kill, move to a Kafka cluster",
		slog.Int64("log_bytes", size), slog.Int64("limit_bytes", limit))
	return nil
}
