package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/ingest"
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
)

// The defaults of --listen.
const (
	apiListen = "127.0.0.1:8080"
	// onlyListen is where --only kafka serves the boot nonce: ingest, which runs beside it, has the other one.
	onlyListen = "127.0.0.1:8079"
)

// The variables of up. It shares those of ingest.
const (
	envOpen           = "ORDERLEDGER_INGEST_OPEN"
	envOperator       = ingest.EnvOperatorToken
	envSellers        = "ORDERLEDGER_SELLERS_FILE"
	envSuborderSecret = "ORDERLEDGER_SUBORDER_SECRET" //nolint:gosec // The name of a variable.
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

	// variables are those that took the place of a flag, by the flag: problems name them.
	variables map[string]string
}

// defaultListen sets the default of --listen, which depends on --only: as one of the flag's, the help would show two.
func (o *upOptions) defaultListen(given func(flag string) bool) {
	switch {
	case given("listen"):
	case o.Only != "":
		o.Listen = onlyListen
	default:
		o.Listen = apiListen
	}
}

// readVariables reads the variables that stand for flags that were not given. If nothing says whether intake is open,
// it is if only this machine reaches it.
func (o *upOptions) readVariables(e *setting.Reader, given func(flag string) bool) {
	o.variables = map[string]string{}
	instead := func(flag, variable string) bool {
		if given(flag) {
			return false
		}
		if e.IsSet(variable) {
			o.variables["--"+flag] = variable
		}
		return true
	}
	if instead("open", envOpen) {
		o.Open = isLoopback(o.Listen)
		e.Truth(envOpen, &o.Open, "`up`: in place of `--open`. By default intake is open if `--listen` is a loopback address")
	}
	if instead("sellers", envSellers) {
		e.Text(envSellers, &o.SellersFile, "`up`: in place of `--sellers`")
	}
	if instead("suborder-secret", envSuborderSecret) {
		secret := setting.NewSecret(o.SuborderSecret)
		e.Secret(envSuborderSecret, &secret, "`up`: in place of `--suborder-secret`, which lists of processes show")
		o.SuborderSecret = secret.Reveal()
	}
	e.Secret(envOperator, &o.OperatorToken, "`up`: token of `GET /progress` and `GET /decisions/summary`")
}

// name returns the flag, or the variable that took its place.
func (o upOptions) name(flag string) string { return cmp.Or(o.variables[flag], flag) }

// validate returns all problems, joined. up creates nothing before.
func (o upOptions) validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if o.Only != "" && o.Only != onlyKafka && o.Only != onlyClickHouse {
		bad("--only %s: want kafka or clickhouse", o.Only)
	}
	if o.Data == "" {
		bad("--data: want a folder")
	}
	if o.Lanes < 0 || o.Lanes > kafka.MaxLanes {
		bad("--lanes %d: want 1 to %d, or 0 for the default", o.Lanes, kafka.MaxLanes)
	}
	if o.ClickHouseMemory < 0 {
		bad("--clickhouse-memory %d: want bytes, or 0 (512 MiB)", o.ClickHouseMemory)
	}
	problems = append(problems, o.validateAddrs()...)
	if o.SuborderSecret != "" {
		if _, err := webhook.ParseSecret(o.SuborderSecret); err != nil {
			bad("%s: %w", o.name("--suborder-secret"), err)
			o.SuborderSecret = "" // Otherwise every endpoint repeats it.
		}
	}
	if cfg, err := o.emitter(); err != nil {
		problems = append(problems, err)
	} else if err := cfg.Validate(); err != nil {
		bad("--suborder-endpoint: %w", err)
	}
	if cfg, err := o.ingest(); err != nil {
		problems = append(problems, err)
	} else if err := cfg.Validate(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// listeners returns the addresses on which the process listens, each with its flag.
func (o upOptions) listeners() [][2]string {
	ofKafka := [][2]string{{"--listen", o.Listen}, {"--kafka-listen", o.KafkaListen}}
	ofClickHouse := [][2]string{
		{"--clickhouse-listen", o.ClickHouseListen}, {"--clickhouse-http-listen", o.ClickHouseHTTPListen},
	}
	switch o.Only {
	case onlyKafka:
		return ofKafka
	case onlyClickHouse:
		return ofClickHouse
	}
	return append(ofKafka, ofClickHouse...)
}

func (o upOptions) validateAddrs() (problems []error) {
	taken := make(map[string]string)
	for _, l := range o.listeners() {
		flag, text := l[0], l[1]
		addr, err := net.ResolveTCPAddr("tcp", text)
		switch {
		case text == "":
			problems = append(problems, fmt.Errorf("%s %q: want host:port", flag, text))
		case err != nil:
			problems = append(problems, fmt.Errorf("%s %q: want host:port: %w", flag, text, err))
		case flag != "--listen" && addr.IP == nil:
			problems = append(problems, fmt.Errorf("%s %q: want host:port, such as 127.0.0.1%s", flag, text, text))
		case flag == "--kafka-listen" && addr.IP.IsUnspecified():
			// The broker names its address to its clients.
			problems = append(problems, fmt.Errorf("%s %q: clients can't connect to this address: want one of this machine's",
				flag, text))
		case addr.Port == 0: // The system chooses one for each.
		case taken[addr.String()] != "":
			problems = append(problems, fmt.Errorf("%s %q: %s has this address", flag, text, taken[addr.String()]))
		default:
			taken[addr.String()] = flag
		}
	}
	return problems
}

// probe returns why the process can't have its folder or its addresses.
func (o upOptions) probe(ctx context.Context) error {
	var problems []error
	if err := service.CheckFolder(o.Data); err != nil {
		problems = append(problems, fmt.Errorf("--data: %w", err))
	}
	var addrs []service.Addr
	for _, l := range o.listeners() {
		addrs = append(addrs, service.Addr{Variable: l[0], Addr: l[1]})
	}
	return errors.Join(append(problems, service.ProbeAddrs(ctx, addrs...))...)
}

// explainListen adds the flag and the advice to the error of a listener. The probe closes its listeners, so another
// program may take an address before the servers do.
func (o upOptions) explainListen(err error) error {
	var failed *net.OpError
	if !errors.As(err, &failed) || failed.Op != "listen" {
		return err
	}
	for _, l := range o.listeners() {
		if addr, unknown := net.ResolveTCPAddr("tcp", l[1]); unknown == nil && addr.String() == failed.Addr.String() {
			return fmt.Errorf("%s: %w; %s", l[0], err, setting.ListenAdvice(err))
		}
	}
	return err
}

// ingest returns the configuration of ingest, for a ledger with one lane.
func (o upOptions) ingest() (ingest.Config, error) {
	in := ingest.DefaultConfig()
	in.Addr, in.Lanes, in.Workers = "", 1, true
	in.Sellers.Open, in.OperatorToken = o.Open, o.OperatorToken
	in.BlobDir, in.ResolverDir = filepath.Join(o.Data, "documents"), filepath.Join(o.Data, "resolver")
	in.Sellers.Sellers = o.Sellers
	if o.SellersFile == "" {
		return in, nil
	}
	in.Sellers.File = o.name("--sellers") + ": " + o.SellersFile
	text, err := os.ReadFile(filepath.Clean(o.SellersFile))
	if err != nil {
		return in, fmt.Errorf("%s: %w", o.name("--sellers"), err)
	}
	fromFile, err := sellers.Unmarshal(text)
	if err != nil {
		return in, fmt.Errorf("%s: %w", in.Sellers.File, err)
	}
	in.Sellers.Sellers = append(fromFile, o.Sellers...)
	return in, nil
}

// emitter returns the configuration of the emitter: each endpoint gets everything.
func (o upOptions) emitter() (emitter.Config, error) {
	cfg := emitter.DefaultConfig()
	var problems []error
	for _, text := range o.SuborderEndpoints {
		endpoint, err := emitter.ParseEndpoint(text)
		if err == nil {
			err = endpoint.Validate()
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("--suborder-endpoint %q: %w", text, err))
			continue
		}
		if o.SuborderSecret != "" {
			endpoint.Secrets = []string{o.SuborderSecret}
		}
		endpoint.Scope, endpoint.Start = emitter.Everything(), emitter.StartEarliest
		cfg.Deliver.Endpoints = append(cfg.Deliver.Endpoints, endpoint)
	}
	return cfg, errors.Join(problems...)
}
