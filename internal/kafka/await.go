package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// LedgerWait waits until ingest has created the ledger. Programs that only derive something from the ledger create no
// topics: the settings of a new ledger, such as its number of lanes, belong to one place.
type LedgerWait struct {
	client *kgo.Client
	cfg    Config
	log    *slog.Logger
	done   atomic.Bool
	cause  atomic.Value // Of type string: what Wait waits for.
}

// NewLedgerWait returns a LedgerWait that does nothing until Wait.
func NewLedgerWait(client *kgo.Client, cfg Config, log *slog.Logger) *LedgerWait {
	return &LedgerWait{client: client, cfg: cfg, log: log}
}

const (
	// ledgerPoll is the interval at which Wait looks for a ledger.
	ledgerPoll = 500 * time.Millisecond
	// ledgerLog is the interval at which it logs that there is none.
	ledgerLog = time.Minute
)

// Wait returns the layout as soon as it is recorded and all topics exist. A ledger of another layout, and topics that
// would lose records, are errors, since waiting can't help.
func (w *LedgerWait) Wait(ctx context.Context) (events.Layout, error) {
	tick := time.NewTicker(ledgerPoll)
	defer tick.Stop()
	var logged time.Time
	for {
		layout, missing, err := w.look(ctx)
		if err != nil {
			return events.Layout{}, err
		}
		if missing == "" {
			w.done.Store(true)
			if !logged.IsZero() {
				w.log.InfoContext(ctx, "ledger found", slog.Int("lanes", int(layout.Lanes)))
			}
			return layout, nil
		}
		w.cause.Store(missing)
		if time.Since(logged) >= ledgerLog {
			logged = time.Now()
			w.log.WarnContext(ctx, "ledger awaited", slog.String("missing", missing),
				slog.String("do", "start ingest, which creates it"))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return events.Layout{}, ctx.Err()
		}
	}
}

// Ready returns an error that says what is missing until Wait has returned a layout.
func (w *LedgerWait) Ready() error {
	if w.done.Load() {
		return nil
	}
	missing, _ := w.cause.Load().(string)
	if missing == "" {
		return errors.New("the ledger was not looked up yet")
	}
	return fmt.Errorf("%w: missing: %s; ingest creates it", ErrNoLedger, missing)
}

// look returns what is missing, or the layout if nothing is.
func (w *LedgerWait) look(ctx context.Context) (layout events.Layout, missing string, err error) {
	layout, err = ReadLayout(ctx, w.client, w.cfg)
	if errors.Is(err, ErrNoLedger) {
		return layout, events.TopicLayout, nil
	}
	if err != nil {
		return layout, "", err
	}
	adm := kadm.NewClient(w.client)
	existing, err := list(ctx, adm, w.cfg)
	if kerr.IsRetriable(err) {
		return layout, "leaders of topics", nil // They are being created.
	}
	if err != nil {
		return layout, "", err
	}
	var absent []string
	for _, t := range Topics() {
		if d, ok := existing[t.Name]; !ok || !led(d) {
			absent = append(absent, t.Name)
		}
	}
	if len(absent) > 0 {
		return layout, strings.Join(absent, ", "), nil
	}
	if err := checkTopics(ctx, adm, w.cfg, w.cfg.Backend(), int(layout.Lanes), existing); err != nil {
		return layout, "", fmt.Errorf("topics: %w", err)
	}
	return layout, "", nil
}
