package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/webhook"
)

// What --only may say.
const (
	onlyKafka      = "kafka"
	onlyClickHouse = "clickhouse"
)

// upOptions is what runs, and where.
type upOptions struct {
	Data, Listen, KafkaListen, ClickHouseListen, ClickHouseHTTPListen string
	// SuborderEndpoints are the URLs that get SUBORDER messages, and SuborderSecret what signs them.
	SuborderEndpoints []string
	SuborderSecret    string
	SellersFile       string
	Only              string
	Lanes             int
	ClickHouseMemory  int64
	Quiet             bool
	// Engine is the path of the ClickHouse engine's library.
	Engine string
	// Sellers are served beside those of the file.
	Sellers []sellers.Seller
}

func upCommand() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the whole ledger in this process, on embedded Kafka and ClickHouse",
		Long: `up runs ingest, projector and emitter in one process, with Kafka and ClickHouse inside it, on
ports that any client can use. The data folder survives a stop and a kill. It is for trying out,
development and a single node; production is the three services against a real Kafka and ClickHouse.

GET /readyz on the API's address says when everything is ready, /metrics what it does.`,
		Example: `  orderledger up
  orderledger up --data ./ledger --suborder-endpoint http://127.0.0.1:9999/suborders
  orderledger up --only clickhouse --data ./ch`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("suborder-secret") { // Not the flag's default, which --help would show.
				o.SuborderSecret = os.Getenv("ORDERLEDGER_SUBORDER_SECRET")
			}
			if err := o.validate(); err != nil {
				return err
			}
			if o.Only != onlyKafka {
				path, err := locateEngine(cmd.Context(), cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				o.Engine = path
			}
			err := up(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if errors.Is(err, syscall.EADDRINUSE) {
				return fmt.Errorf("%w; stop what uses it, or choose others with --listen, --kafka-listen, --clickhouse-listen and --clickhouse-http-listen (a second ledger needs its own --data too)", err)
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Data, "data", "orderledger-data", "the folder of all data")
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address of the HTTP API")
	flags.StringVar(&o.KafkaListen, "kafka-listen", "127.0.0.1:9092", "address of Kafka")
	flags.StringVar(&o.ClickHouseListen, "clickhouse-listen", "127.0.0.1:9000", "address of ClickHouse's native protocol")
	flags.StringVar(&o.ClickHouseHTTPListen, "clickhouse-http-listen", "127.0.0.1:8123", "address of ClickHouse's HTTP interface")
	flags.StringArrayVar(&o.SuborderEndpoints, "suborder-endpoint", nil, "[name=]URL that gets SUBORDER messages (repeatable); the name, else the URL, is its identity")
	flags.StringVar(&o.SuborderSecret, "suborder-secret", "", "whsec_ secret that signs them, else they are not signed (default: ORDERLEDGER_SUBORDER_SECRET)")
	flags.StringVar(&o.SellersFile, "sellers", os.Getenv("ORDERLEDGER_SELLERS_FILE"), "JSON file of sellers and their tokens, default from ORDERLEDGER_SELLERS_FILE")
	flags.StringVar(&o.Only, "only", "", "run only kafka or only clickhouse")
	flags.IntVar(&o.Lanes, "lanes", 0, "number of lanes of a new ledger (0: 12); fixed once it exists")
	flags.Int64Var(&o.ClickHouseMemory, "clickhouse-memory", 0, "bytes that ClickHouse may use (0: 512 MiB)")
	flags.BoolVar(&o.Quiet, "quiet", false, "log warnings and errors only")
	return cmd
}

func (o upOptions) validate() error {
	var problems []error
	if o.Only != "" && o.Only != onlyKafka && o.Only != onlyClickHouse {
		problems = append(problems, fmt.Errorf("--only %s: want kafka or clickhouse", o.Only))
	}
	if o.Data == "" {
		problems = append(problems, errors.New("--data: a folder is needed"))
	}
	for _, e := range o.SuborderEndpoints {
		if _, err := emitter.ParseEndpoint(e); err != nil {
			problems = append(problems, fmt.Errorf("--suborder-endpoint %q: %w", e, err))
		}
	}
	if _, err := o.sellers(); err != nil {
		problems = append(problems, err)
	}
	if o.SuborderSecret != "" {
		if _, err := webhook.ParseSecret(o.SuborderSecret); err != nil {
			problems = append(problems, fmt.Errorf("--suborder-secret: %w", err))
		}
	}
	return errors.Join(problems...)
}

// up runs until ctx ends or something fails.
func up(ctx context.Context, o upOptions, out, logTo io.Writer) (err error) {
	level := slog.LevelInfo
	if o.Quiet {
		level = slog.LevelWarn
	}
	log := service.Logger(logTo, level, "orderledger")
	reg, err := service.Registry("orderledger")
	if err != nil {
		return err
	}
	started := time.Now()
	// Starting is bounded by ctx; once started, the servers outlive it until everything that uses them has ended.
	servers, err := startServers(ctx, o, log, reg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.Close()) }()
	if o.Only != "" {
		return upOnly(ctx, o, servers, log, reg, func(api string) { announce(out, servers, api, started) })
	}
	l, err := newLedger(ctx, o, servers, log, reg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	go func() {
		if addr, err := l.admin.Addr(ctx); err == nil && l.awaitReady(ctx) == nil {
			announce(out, servers, addr, started)
		}
	}()
	return service.Run(ctx, log, l.units()...)
}

// upOnly serves one of the servers. Services of other processes ask for Kafka's boot nonce, so that comes with it.
func upOnly(ctx context.Context, o upOptions, s servers, log *slog.Logger, reg *prometheus.Registry, announce func(api string)) error {
	if s.kafka == nil {
		announce("")
		<-ctx.Done()
		return nil
	}
	admin := service.NewAdmin(service.AdminConfig{Addr: o.Listen}, log, reg, nil)
	admin.Handle("GET /boot", s.kafka.BootHandler())
	go func() {
		if api, err := admin.Addr(ctx); err == nil {
			announce(api)
		}
	}()
	return service.Run(ctx, log, admin.Unit())
}

// announce prints the addresses.
func announce(out io.Writer, s servers, api string, started time.Time) {
	switch {
	case api != "" && s.clickhouse == nil:
		fmt.Fprintf(out, "boot nonce  http://%s/boot   (ORDERLEDGER_KAFKA_BOOT_URL of the services)\n", api)
	case api != "":
		fmt.Fprintf(out, "api         http://%s   (POST /notifications, /sellers/v3/..., GET /readyz, /progress, /metrics)\n", api)
	}
	if s.kafka != nil {
		fmt.Fprintf(out, "kafka       %s\n", s.kafka.Addr())
	}
	if s.clickhouse != nil {
		fmt.Fprintf(out, "clickhouse  %s   (native), http://%s (HTTP)\n", s.clickhouse.NativeAddr(), s.clickhouse.HTTPAddr())
	}
	fmt.Fprintf(out, "ready after %.1f s; Ctrl-C stops\n", time.Since(started).Seconds())
}

// sellers returns the configured sellers.
func (o upOptions) sellers() ([]sellers.Seller, error) {
	if o.SellersFile == "" {
		return o.Sellers, nil
	}
	text, err := os.ReadFile(filepath.Clean(o.SellersFile))
	if err != nil {
		return nil, fmt.Errorf("--sellers: %w", err)
	}
	fromFile, err := sellers.Unmarshal(text)
	if err != nil {
		return nil, fmt.Errorf("--sellers %s: %w", o.SellersFile, err)
	}
	return append(fromFile, o.Sellers...), nil
}
