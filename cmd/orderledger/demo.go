package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/orderledger/orderledger/internal/console"
	"github.com/orderledger/orderledger/internal/demo"
	"github.com/orderledger/orderledger/internal/importer"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
)

func demoCommand() *cobra.Command {
	var (
		shipments int
		seed      uint64
		keep      bool
		data      string
	)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run everything in one process, play order histories, and show the results",
		Long: `demo starts everything in this process on free ports: Kafka, ClickHouse, ingest, projector, emitter
and a receiver. It plays the marketplace, which posts notifications, and a seller, who requests
labels and dispatches. Then it shows events, tables and pushes, and ends. With --keep it keeps
running, so that you can look around.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if shipments < 1 {
				return fmt.Errorf("--shipments %d: want 1 or more", shipments)
			}
			path, err := locateEngine(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			d := demonstration{
				screen: screenOf(cmd), out: cmd.OutOrStdout(), errOut: cmd.ErrOrStderr(),
				shipments: shipments, seed: seed, keep: keep,
			}
			d.o = upOptions{
				Data: data, Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0",
				ClickHouseListen: "127.0.0.1:0", ClickHouseHTTPListen: "127.0.0.1:0",
				SuborderSecret: demo.Secret, Engine: path, Open: true,
				Sellers: []sellers.Seller{{
					ID: demo.OwnSeller, Token: demo.OwnToken, Name: "Demo Seller", PolicyConfig: sellers.PolicyConfig{Own: true},
				}},
			}
			return d.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&shipments, "shipments", 250, "number of shipments of the marketplace to play")
	flags.Uint64Var(&seed, "seed", 1, "seed of the histories; the same seed plays the same ones")
	flags.BoolVar(&keep, "keep", false, "keep running afterwards, until Ctrl-C")
	flags.StringVar(&data, "data", "", "folder of all data (default: a temporary one, removed at the end)")
	return cmd
}

// demonstration is one run of the demo.
type demonstration struct {
	o           upOptions
	screen      console.Screen // On out.
	out, errOut io.Writer
	shipments   int
	seed        uint64
	keep        bool
}

func (d demonstration) run(ctx context.Context) (err error) {
	if d.o.Data == "" {
		dir, err := os.MkdirTemp("", "orderledger-demo")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		d.o.Data = dir
	}
	if err := d.o.probe(ctx); err != nil {
		return err
	}
	receiver, endpoint, err := d.receive(ctx)
	if err != nil {
		return err
	}
	d.o.SuborderEndpoints = []string{endpoint}

	log := service.Logger(d.errOut, slog.LevelError, "orderledger")
	started := time.Now()
	reg := prometheus.NewRegistry()
	servers, err := startServers(ctx, d.o, log, reg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.Close()) }()
	l, err := newLedger(ctx, d.o, servers, log, reg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()

	var shown atomic.Bool
	played := service.Unit{Name: "demo", Run: func(ctx context.Context) error {
		api, err := l.admin.Addr(ctx)
		if err == nil {
			err = l.awaitReady(ctx)
		}
		if err != nil {
			return err
		}
		announce(d.screen, servers, api, started)
		if err := d.play(ctx, "http://"+api); err != nil {
			return err
		}
		if err := d.show(ctx, l, servers, receiver); err != nil {
			return err
		}
		if shown.Store(true); !d.keep {
			return nil
		}
		fmt.Fprintln(d.out)
		d.screen.Wrap("", "still running, with its data in "+d.o.Data+"; Ctrl-C stops")
		<-ctx.Done()
		return nil
	}}
	err = service.Run(ctx, log, append(l.units(), played)...)
	if err == nil && !shown.Load() {
		return errInterrupted
	}
	return err
}

// receive starts the fulfilment system of the demo and returns its URL.
func (d demonstration) receive(ctx context.Context) (*demo.Receiver, string, error) {
	receiver, err := demo.NewReceiver()
	if err != nil {
		return nil, "", err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("receiver: %w", err)
	}
	server := &http.Server{Handler: receiver, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = service.Serve(ctx, server, ln) }() // It stops with the demo.
	return receiver, "http://" + ln.Addr().String() + "/suborders", nil
}

// play sends the histories and the calls of the seller, and waits until tables and pushes have caught up.
func (d demonstration) play(ctx context.Context, api string) error {
	d.title("play")
	histories := demo.Histories(d.seed, d.shipments, time.Now())
	var file bytes.Buffer
	for _, n := range histories {
		file.Write(n.Body)
		file.WriteByte('\n')
	}
	cfg := importer.Config{URL: api, CorrelationID: "demo"}
	result, err := importer.Import(ctx, cfg, &file)
	if err != nil {
		return fmt.Errorf("play the marketplace: %w", err)
	}
	printResult(d.screen, fmt.Sprintf("marketplace   %d shipments: ", d.shipments), result)
	seller := demo.Seller{URL: api, Log: func(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }}
	if err := seller.Play(ctx, 3); err != nil {
		return fmt.Errorf("play the seller: %w", err)
	}
	started := time.Now()
	if err := importer.Wait(ctx, api, nil); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "tables and pushes caught up %.1f s later\n", time.Since(started).Seconds())
	fmt.Fprintln(d.out, "outcomes of the marketplace's notifications (a repeat counts once):")
	return printOutcomes(ctx, d.screen, importer.Operator{URL: api}, cfg.CorrelationID)
}

// show prints events, tables and pushes.
func (d demonstration) show(ctx context.Context, l *ledger, s servers, receiver *demo.Receiver) error {
	d.title("events: the first 12 lines of `orderledger tail --from-start`")
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{s.kafka.Addr()}
	if err := (&tailer{limit: 12}).run(ctx, cfg, true, d.screen); err != nil {
		return err
	}
	for _, q := range demo.Queries() {
		d.title(q.Title)
		d.screen.Wrap("  ", q.SQL)
		if err := demo.PrintTable(ctx, l.tables, q.SQL, d.screen); err != nil {
			return err
		}
	}
	d.title("one shipment: `orderledger timeline`")
	var id string
	if err := l.tables.QueryRow(ctx, demo.Eventful).Scan(&id); err != nil {
		return fmt.Errorf("choose a shipment: %w", err)
	}
	if err := timeline(ctx, l.tables, id, d.screen); err != nil {
		return err
	}
	d.title("pushes: SUBORDER messages at the receiver, counted by messageId")
	d.pushes(receiver.Counts())
	return nil
}

func (d demonstration) pushes(c demo.Counts) {
	for _, kind := range []string{
		"SUBORDER_CREATE", "SUBORDER_PROPERTIES_UPDATE", "SUBORDER_PARTIAL_CANCEL", "SUBORDER_CANCEL", "SUBORDER_COMPLETE",
	} {
		fmt.Fprintf(d.out, "%6d  %s\n", c.Types[kind], kind)
	}
	fmt.Fprintf(d.out, "wrong signatures: %d, out of order: %d, repeats: %d\n", c.Wrong, c.Disorder, c.Repeats)
	if c.Sample.Body == nil {
		return
	}
	var pretty bytes.Buffer
	_ = json.Indent(&pretty, c.Sample.Body, "", "  ") // The receiver has parsed it.
	lines := strings.SplitAfter(pretty.String(), "\n")
	fmt.Fprintf(d.out, "\nwebhook-id: %s\nwebhook-signature: %.40s…\n%s…\n",
		c.Sample.Header.Get("Webhook-Id"), c.Sample.Header.Get("Webhook-Signature"),
		strings.Join(lines[:min(len(lines), 18)], ""))
}

func (d demonstration) title(text string) {
	width := 103
	if d.screen.Width > 0 {
		width = min(width, d.screen.Width)
	}
	fmt.Fprintln(d.out)
	d.screen.Line(console.Bold, "── "+text+" "+strings.Repeat("─", max(3, width-4-len(text))))
}
