package service

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/setting"
)

// EnvLogLevel is read by every service; Settings.Read has its meaning.
const EnvLogLevel = "ORDERLEDGER_LOG_LEVEL"

// Main is the main function of a service: it runs until SIGINT or SIGTERM, prints the error to standard error and exits
// with status 1 if there was one.
func Main(
	program string,
	run func(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error,
) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
		os.Exit(1)
	}
}

// Settings are the part of a configuration that every service has. A service embeds them in its own.
type Settings struct {
	// Admin is where metrics and health are served.
	Admin AdminConfig
	// LogLevel is the lowest level that is logged.
	LogLevel slog.Level

	envAdmin string // The variable of the admin address.
}

// Read reads the log level, and the admin address from the variable envAdmin, which has a default. The address "off"
// serves nothing.
func (s *Settings) Read(e *setting.Reader, envAdmin, defaultAddr string) {
	s.Admin.Addr, s.envAdmin = defaultAddr, envAdmin
	e.Or("off", envAdmin, &s.Admin.Addr, "address of health and metrics, host:port; `off` disables them")
	if s.Admin.Addr != "" {
		if err := setting.CheckListener(s.Admin.Addr); err != nil {
			e.Bad(envAdmin, "%w", err)
		}
	}
	e.Word(EnvLogLevel, &s.LogLevel, "lowest level that is logged: `DEBUG`, `INFO`, `WARN` or `ERROR`")
}

func (s Settings) settings() Settings { return s }

// Configuration is a struct that embeds Settings.
type Configuration interface{ settings() Settings }

// Program describes a service to Configure.
type Program[C Configuration] struct {
	// Name of the service.
	Name string
	// Environ is the environment, as os.Environ returns it.
	Environ []string
	// Read returns the configuration, or every problem of it at once. Secrets in it must not show when it is printed.
	Read func(e *setting.Reader) (C, error)
	// Checks returns the start-up checks for a valid configuration.
	Checks func(cfg C) []preflight.Check
	// Local returns what the program needs of its machine: -check looks whether it can have it. Nil means only the address
	// of the admin server.
	Local func(cfg C) Local
}

// Local is what a program needs of its machine.
type Local struct {
	// Addrs are the addresses that it listens on; empty ones are left out.
	Addrs []Addr
	// Folders are those that it writes to.
	Folders []Folder
	// Checks are further ones of -check.
	Checks []preflight.Check
}

// Addr is the address of a listener.
type Addr struct{ Variable, Addr string }

// Folder is a folder of a program.
type Folder struct{ Variable, Dir string }

// Process is a configured service before its parts are built.
type Process struct {
	// Log writes JSON lines to standard error.
	Log *slog.Logger
	// Metrics has the metrics of every program.
	Metrics *prometheus.Registry

	settings Settings
	checks   []preflight.Check
}

// Configure does what every service does first: it parses the flags -version, -check and -print-config, reads the
// configuration, and prints to stdout whatever the flags ask for. The process is nil when the program has nothing more
// to do. After -check, the error counts the checks that failed. An address that is in use is an error.
func Configure[C Configuration](
	ctx context.Context, p Program[C], args []string, stdout, stderr io.Writer,
) (cfg C, process *Process, err error) {
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	version := flags.Bool("version", false, "print the version and exit")
	check := flags.Bool("check", false,
		"check the configuration and the servers, change nothing, and exit:\n0 when the program could start and work")
	printConfig := flags.Bool("print-config", false,
		"print the variables with their values and origins, as a file of variables; then exit")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "Usage of %s:\n", p.Name)
		flags.PrintDefaults()
		e := setting.NewReader(func(string) string { return "" })
		_, _ = p.Read(e) // Its problems are those of an empty environment.
		fmt.Fprintf(stderr, "\nVariables, with their defaults:\n%s", setting.Help(e.Variables()))
	}
	if err := flags.Parse(args); err != nil {
		return cfg, nil, err
	}
	if flags.NArg() > 0 {
		return cfg, nil, fmt.Errorf("unexpected argument %q: the program is configured by variables, see -h", flags.Arg(0))
	}
	if *version {
		_, err := fmt.Fprintln(stdout, Version())
		return cfg, nil, err
	}
	e := setting.NewReader(setting.Environment(p.Environ))
	if cfg, err = p.Read(e); err != nil {
		return cfg, nil, err
	}
	if *printConfig {
		return cfg, nil, printConfiguration(e, cfg, stdout)
	}
	local := Local{}
	if p.Local != nil {
		local = p.Local(cfg)
	}
	local.Addrs = append(local.Addrs, Addr{cfg.settings().envAdmin, cfg.settings().Admin.Addr})
	if *check {
		return cfg, nil, printChecks(ctx, append(local.checks(p.Environ), p.Checks(cfg)...), stdout)
	}
	if err := ProbeAddrs(ctx, local.Addrs...); err != nil {
		return cfg, nil, err
	}
	metrics, err := Registry(p.Name)
	if err != nil {
		return cfg, nil, err
	}
	s := cfg.settings()
	log := Logger(stderr, s.LogLevel, p.Name)
	for name, nearest := range setting.Unknown(p.Environ) {
		log.WarnContext(ctx, "variable not known", slog.String("name", name), slog.String("nearest", nearest))
	}
	return cfg, &Process{
		Log: log, Metrics: metrics, settings: s, checks: p.Checks(cfg),
	}, nil
}

// AwaitServers waits until each server answers, in this order, and then runs the start-up checks. It returns an error
// when a server can't be waited for, or when a check refuses the start.
func (p *Process) AwaitServers(ctx context.Context, servers ...func(context.Context, *slog.Logger) error) error {
	for _, await := range servers {
		if err := await(ctx, p.Log); err != nil {
			return err
		}
	}
	return preflight.Run(ctx, p.checks).Start(ctx, p.Log)
}

// Admin returns the admin server, with profiles: only operators reach its address. Ready says why the program can't
// work now.
func (p *Process) Admin(ready func(context.Context) error) *Admin {
	admin := NewAdmin(p.settings.Admin, p.Log, p.Metrics, ready)
	admin.HandleProfiles()
	return admin
}

// printConfiguration prints the variables as a file that sets them again, and what follows from them as a comment:
// files hold more than variables do.
func printConfiguration(e *setting.Reader, cfg any, stdout io.Writer) error {
	text, err := setting.Print(cfg, "# ", "  ")
	if err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	_, err = fmt.Fprintf(stdout,
		"%s# The configuration that follows from them, with secrets masked:\n# %s\n",
		setting.File(e.Variables()), text)
	return err
}

func printChecks(ctx context.Context, checks []preflight.Check, stdout io.Writer) error {
	valid := preflight.Line{Check: preflight.Check{Name: "configuration"}, Finding: preflight.Good("valid")}
	report := append(preflight.Report{valid}, preflight.Run(ctx, checks)...)
	if err := report.Print(stdout); err != nil {
		return err
	}
	if n := report.Failed(); n > 0 {
		return fmt.Errorf("start-up checks that failed: %d", n)
	}
	return nil
}

// Registry returns a registry with the metrics that every program has: the Go runtime's, the process's and the
// version's.
func Registry(program string) (*prometheus.Registry, error) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := ExportVersion(reg, program); err != nil {
		return nil, fmt.Errorf("export version: %w", err)
	}
	return reg, nil
}
