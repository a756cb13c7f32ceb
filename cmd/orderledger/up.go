package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/orderledger/orderledger/internal/console"
	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
)

func upCommand() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the whole ledger in this process, on embedded Kafka and ClickHouse",
		Long: `up runs ingest, projector and emitter in one process, with an embedded Kafka and ClickHouse on
ports that any client can use. The data survives a stop and a kill. Use it to try the ledger out,
for development, and for a single node. In production, run the three services with a Kafka cluster
and a ClickHouse server.

If --listen is a loopback address, anybody who reaches it may post notifications of sellers that have
neither an application nor a notification token in the file of sellers. On any other address every
notification needs one, unless --open says otherwise. ORDERLEDGER_INGEST_OPERATOR_TOKEN sets the token
of GET /progress and GET /decisions/summary; without one they answer only while intake is open.

On the address of the API, GET /readyz answers 200 when notifications and calls are taken, and
GET /readyz/reads when reads are answered. GET /metrics serves the metrics.`,
		Example: `  orderledger up
  orderledger up --data ./ledger --suborder-endpoint http://127.0.0.1:9999/suborders
  orderledger up --only clickhouse --data ./ch`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.defaultListen(cmd.Flags().Changed)
			e := setting.NewReader(os.Getenv)
			o.readVariables(e, cmd.Flags().Changed)
			if err := errors.Join(append(e.Problems(), o.validate())...); err != nil {
				return err
			}
			if err := o.probe(cmd.Context()); err != nil {
				return err
			}
			if o.Only != onlyKafka {
				path, err := locateEngine(cmd.Context(), cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				o.Engine = path
			}
			err := o.explainListen(up(cmd.Context(), o, screenOf(cmd), cmd.ErrOrStderr()))
			if cmd.Context().Err() != nil {
				err = withoutCancellation(err) // A stop is the ordinary end, also of a start.
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Data, "data", "orderledger-data", "folder of all data")
	flags.StringVar(&o.Listen, "listen", "", "address of the HTTP API, or of the boot nonce with --only kafka "+
		"(default: "+apiListen+", or "+onlyListen+" with --only)")
	flags.StringVar(&o.KafkaListen, "kafka-listen", "127.0.0.1:9092", "address of Kafka")
	flags.StringVar(&o.ClickHouseListen, "clickhouse-listen", "127.0.0.1:9000", "address of ClickHouse's native protocol")
	flags.StringVar(&o.ClickHouseHTTPListen, "clickhouse-http-listen", "127.0.0.1:8123",
		"address of ClickHouse's HTTP interface")
	flags.StringArrayVar(&o.SuborderEndpoints, "suborder-endpoint", nil,
		"[name=]URL that gets all SUBORDER messages (repeatable); its name, or its URL without one, is its identity")
	flags.StringVar(&o.SuborderSecret, "suborder-secret", "",
		"whsec_ secret that signs the messages (default: "+envSuborderSecret+"; none: unsigned)")
	flags.StringVar(&o.SellersFile, "sellers", "",
		"JSON file of sellers and their tokens (default: "+envSellers+")")
	flags.BoolVar(&o.Open, "open", false, "accept notifications without a credential, except for sellers that have one "+
		"(default: "+envOpen+"; else whether --listen is a loopback address)")
	flags.StringVar(&o.Only, "only", "", "run only kafka or only clickhouse")
	flags.IntVar(&o.Lanes, "lanes", 0, "number of lanes of a new ledger (0: 12); it can't be changed later")
	flags.Int64Var(&o.ClickHouseMemory, "clickhouse-memory", 0, "bytes of memory for ClickHouse (0: 512 MiB)")
	flags.BoolVar(&o.Quiet, "quiet", false, "log warnings and errors only")
	return cmd
}

// up runs until ctx ends or something fails.
func up(ctx context.Context, o upOptions, screen console.Screen, logTo io.Writer) (err error) {
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
	// ctx bounds the start only: the servers must outlive their users, so Close stops them at the end.
	servers, err := startServers(ctx, o, log, reg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.Close()) }()
	if o.Only != "" {
		return upOnly(ctx, o, servers, log, reg, func(api string) { announce(screen, servers, api, started) })
	}
	l, err := newLedger(ctx, o, servers, log, reg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	go func() {
		if addr, err := l.admin.Addr(ctx); err == nil && l.awaitReady(ctx) == nil {
			o.announceIntake(screen)
			o.announcePushes(screen)
			announce(screen, servers, addr, started)
		}
	}()
	return service.Run(ctx, log, l.units()...)
}

// upOnly runs one of the servers. With Kafka it also serves the boot nonce, which services in other processes need.
func upOnly(
	ctx context.Context, o upOptions, s servers, log *slog.Logger, reg *prometheus.Registry, announce func(api string),
) error {
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
	return service.Run(ctx, log, s.unit(), admin.Unit())
}

// announce prints the addresses.
func announce(screen console.Screen, s servers, api string, started time.Time) {
	switch {
	case api != "" && s.clickhouse == nil:
		screen.Wrap("boot nonce  ", "http://"+api+"/boot   (ORDERLEDGER_KAFKA_BOOT_URL of the services)")
	case api != "":
		screen.Wrap("api         ",
			"http://"+api+"   (POST /notifications, /sellers/v3/..., GET /readyz, /progress, /metrics)")
	}
	if s.kafka != nil {
		screen.Wrap("kafka       ", s.kafka.Addr())
	}
	if s.clickhouse != nil {
		screen.Wrap("clickhouse  ", s.clickhouse.NativeAddr()+"   (native), http://"+s.clickhouse.HTTPAddr()+" (HTTP)")
	}
	fmt.Fprintf(screen.Out, "ready after %.1f s; Ctrl-C stops\n", time.Since(started).Seconds())
}

// announceIntake says whose notifications are accepted.
func (o upOptions) announceIntake(screen console.Screen) {
	cfg, _ := o.ingest() // It was read without an error.
	says := "closed: no seller has a credential, so every notification is refused (--sellers, --open)"
	switch {
	case o.Open:
		says = "open: notifications need no credential, except for sellers that have one (--open=false)"
	case sellers.New(cfg.Sellers).Protects():
		says = "strict: every notification needs a signature or a notification token (--open)"
	}
	screen.Wrap("intake      ", says)
}

// announcePushes says what the endpoints get, because it is a lot: the services give an endpoint nothing by default.
func (o upOptions) announcePushes(screen console.Screen) {
	for _, text := range o.SuborderEndpoints {
		if e, err := emitter.ParseEndpoint(text); err == nil { // The URL may contain a token; the name does not.
			screen.Wrap("pushes      ", e.Name+" gets every message, of all sellers, locations and channels, from the first")
		}
	}
}
