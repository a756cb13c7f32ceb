package service

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/orderledger/orderledger/internal/preflight"
)

// Program is what Configure needs to know of a service.
type Program[C any] struct {
	// Name of the service.
	Name string
	// Read returns the configuration, or every problem of it at once. Secrets in it must not show when it is printed.
	Read func() (C, error)
	// Checks are the start-up checks of a valid configuration.
	Checks func(cfg C) []preflight.Check
}

// Configure does what every service does first: it parses the flags -version, -check and -print-config, reads the
// configuration, and does what the flags ask for, on stdout. When done is true the program has nothing more to do; the
// error of a check that found something wrong says how much.
func Configure[C any](ctx context.Context, p Program[C], args []string, stdout, stderr io.Writer) (cfg C, done bool, err error) {
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	version := flags.Bool("version", false, "print the version and exit")
	check := flags.Bool("check", false, "check the configuration and the servers, change nothing, and exit: 0 when the program could start and work")
	printConfig := flags.Bool("print-config", false, "print the configuration, secrets masked, and exit")
	if err := flags.Parse(args); err != nil {
		return cfg, true, err
	}
	if *version {
		_, err := fmt.Fprintln(stdout, Version())
		return cfg, true, err
	}
	if cfg, err = p.Read(); err != nil {
		return cfg, true, err
	}
	if *printConfig {
		text := json.NewEncoder(stdout)
		text.SetIndent("", "  ")
		return cfg, true, text.Encode(cfg)
	}
	if *check {
		return cfg, true, printChecks(ctx, p.Checks(cfg), stdout)
	}
	return cfg, false, nil
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
