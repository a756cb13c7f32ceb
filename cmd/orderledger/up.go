package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/webhook"
)

// The values of --only.
const (
	onlyKafka      = "kafka"
	onlyClickHouse = "clickhouse"
	// onlyListen is where one server alone serves the boot nonce. The default of --listen is that of ingest, which runs
	// beside it.
	onlyListen = "127.0.0.1:8079"
)

// upOptions are the flags of up.
type upOptions struct {
	Data, Listen, KafkaListen, ClickHouseListen, ClickHouseHTTPListen string
	// SuborderEndpoints are the URLs that get SUBORDER messages. SuborderSecret signs the messages.
	SuborderEndpoints []string
	SuborderSecret    string
	SellersFile       string
	// OperatorToken is the token of /progress and /decisions/summary.
	OperatorToken setting.Secret
	// Open accepts notifications without a credential.
	Open             bool
	Only             string
	Lanes            int
	ClickHouseMemory int64
	Quiet            bool
	// Engine is the path of the library of the ClickHouse engine.
	Engine string
	// Sellers are added to those of the file.
	Sellers []sellers.Seller
	// Now is the clock of the ledger; nil means time.Now.
	Now func() time.Time
}

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
			if !cmd.Flags().Changed("suborder-secret") { // Not the flag's default, which --help would show.
				o.SuborderSecret = os.Getenv("ORDERLEDGER_SUBORDER_SECRET")
			}
			if !cmd.Flags().Changed("open") {
				if err := o.openByDefault(os.Getenv); err != nil {
					return err
				}
			}
			e := setting.NewReader(os.Getenv)
			if e.Secret(envOperator, &o.OperatorToken); len(e.Problems()) > 0 {
				return errors.Join(e.Problems()...)
			}
			if err := o.validate(); err != nil {
				return err
			}
			if o.Only != "" && !cmd.Flags().Changed("listen") {
				o.Listen = onlyListen
			}
			if o.Only != onlyKafka {
				path, err := locateEngine(cmd.Context(), cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				o.Engine = path
			}
			err := up(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if cmd.Context().Err() != nil {
				err = withoutCancellation(err) // A stop is the ordinary end, also of a start.
			}
			if errors.Is(err, syscall.EADDRINUSE) {
				return fmt.Errorf("%w; stop the program that uses it, or choose other addresses with --listen, --kafka-listen, "+
					"--clickhouse-listen and --clickhouse-http-listen (a second ledger also needs its own --data)", err)
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Data, "data", "orderledger-data", "folder of all data")
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:8080",
		"address of the HTTP API; with --only, of the boot nonce (default "+onlyListen+")")
	flags.StringVar(&o.KafkaListen, "kafka-listen", "127.0.0.1:9092", "address of Kafka")
	flags.StringVar(&o.ClickHouseListen, "clickhouse-listen", "127.0.0.1:9000", "address of ClickHouse's native protocol")
	flags.StringVar(&o.ClickHouseHTTPListen, "clickhouse-http-listen", "127.0.0.1:8123",
		"address of ClickHouse's HTTP interface")
	flags.StringArrayVar(&o.SuborderEndpoints, "suborder-endpoint", nil,
		"[name=]URL that gets all SUBORDER messages (repeatable); its name, or its URL without one, is its identity")
	flags.StringVar(&o.SuborderSecret, "suborder-secret", "",
		"whsec_ secret that signs the messages (default: ORDERLEDGER_SUBORDER_SECRET; none: unsigned)")
	flags.StringVar(&o.SellersFile, "sellers", os.Getenv("ORDERLEDGER_SELLERS_FILE"),
		"JSON file of sellers and their tokens (default: ORDERLEDGER_SELLERS_FILE)")
	flags.BoolVar(&o.Open, "open", false, "accept notifications without a credential, except for sellers that have one "+
		"(default: "+envOpen+"; else whether --listen is a loopback address)")
	flags.StringVar(&o.Only, "only", "", "run only kafka or only clickhouse")
	flags.IntVar(&o.Lanes, "lanes", 0, "number of lanes of a new ledger (0: 12); it can't be changed later")
	flags.Int64Var(&o.ClickHouseMemory, "clickhouse-memory", 0, "bytes of memory for ClickHouse (0: 512 MiB)")
	flags.BoolVar(&o.Quiet, "quiet", false, "log warnings and errors only")
	return cmd
}

// Variables of ingest that up reads too; envOpen stands for --open.
const (
	envOpen     = "ORDERLEDGER_INGEST_OPEN"
	envOperator = "ORDERLEDGER_INGEST_OPERATOR_TOKEN"
)

// openByDefault sets Open to what the environment says; else intake is open if only this machine reaches it.
func (o *upOptions) openByDefault(getenv func(string) string) error {
	host, _, _ := net.SplitHostPort(o.Listen)
	o.Open = host == "localhost" || net.ParseIP(host).IsLoopback()
	e := setting.NewReader(getenv)
	e.Truth(envOpen, &o.Open)
	return errors.Join(e.Problems()...)
}

func (o upOptions) validate() error {
	var problems []error
	if o.Only != "" && o.Only != onlyKafka && o.Only != onlyClickHouse {
		problems = append(problems, fmt.Errorf("--only %s: want kafka or clickhouse", o.Only))
	}
	if o.Data == "" {
		problems = append(problems, errors.New("--data: want a folder"))
	}
	if o.Lanes < 0 || o.Lanes > kafka.MaxLanes {
		problems = append(problems, fmt.Errorf("--lanes %d: want 1 to %d, or 0 for the default", o.Lanes, kafka.MaxLanes))
	}
	if o.ClickHouseMemory < 0 {
		problems = append(problems, fmt.Errorf("--clickhouse-memory %d: want bytes, or 0 (512 MiB)", o.ClickHouseMemory))
	}
	problems = append(problems, o.validateAddrs()...)
	for _, e := range o.SuborderEndpoints {
		endpoint, err := emitter.ParseEndpoint(e)
		if err == nil {
			err = endpoint.Validate()
		}
		if err != nil {
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

func (o upOptions) validateAddrs() (problems []error) {
	taken := make(map[string]string)
	for _, a := range [][2]string{
		{"--listen", o.Listen},
		{"--kafka-listen", o.KafkaListen},
		{"--clickhouse-listen", o.ClickHouseListen},
		{"--clickhouse-http-listen", o.ClickHouseHTTPListen},
	} {
		addr, err := net.ResolveTCPAddr("tcp", a[1])
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("%s %q: want host:port: %w", a[0], a[1], err))
		case addr.Port == 0: // The system chooses one for each.
		case taken[addr.String()] != "":
			problems = append(problems, fmt.Errorf("%s %q: %s has this address", a[0], a[1], taken[addr.String()]))
		default:
			taken[addr.String()] = a[0]
		}
	}
	return problems
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
	// ctx bounds the start only: the servers must outlive their users, so Close stops them at the end.
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
			o.announceIntake(out)
			o.announcePushes(out)
			announce(out, servers, addr, started)
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
func announce(out io.Writer, s servers, api string, started time.Time) {
	switch {
	case api != "" && s.clickhouse == nil:
		fmt.Fprintf(out, "boot nonce  http://%s/boot   (ORDERLEDGER_KAFKA_BOOT_URL of the services)\n", api)
	case api != "":
		fmt.Fprintf(out,
			"api         http://%s   (POST /notifications, /sellers/v3/..., GET /readyz, /progress, /metrics)\n", api)
	}
	if s.kafka != nil {
		fmt.Fprintf(out, "kafka       %s\n", s.kafka.Addr())
	}
	if s.clickhouse != nil {
		fmt.Fprintf(out, "clickhouse  %s   (native), http://%s (HTTP)\n",
			s.clickhouse.NativeAddr(), s.clickhouse.HTTPAddr())
	}
	fmt.Fprintf(out, "ready after %.1f s; Ctrl-C stops\n", time.Since(started).Seconds())
}

// announceIntake says whose notifications are accepted.
func (o upOptions) announceIntake(out io.Writer) {
	list, _ := o.sellers() // It was read without an error.
	says := "closed: no seller has a credential, so every notification is refused (--sellers, --open)"
	switch {
	case o.Open:
		says = "open: notifications need no credential, except for sellers that have one (--open=false)"
	case sellers.New(sellers.Config{Sellers: list}).Protects():
		says = "strict: every notification needs a signature or a notification token (--open)"
	}
	fmt.Fprintln(out, "intake      "+says)
}

// announcePushes says what the endpoints get, because it is a lot: the services give an endpoint nothing by default.
func (o upOptions) announcePushes(out io.Writer) {
	for _, text := range o.SuborderEndpoints {
		if e, err := emitter.ParseEndpoint(text); err == nil { // The URL may contain a token; the name does not.
			fmt.Fprintf(out,
				"pushes      %s gets every message, of all sellers, locations and channels, from the first\n", e.Name)
		}
	}
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
