package service

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Configure does what every service does first: it parses the flags -version, -check and -print-config, reads the
// configuration, and does what the flags ask for. Read reports every problem of the configuration at once; masked
// returns it without its secrets. When done is true the program has nothing more to do.
func Configure[C any](
	program string, args []string, out io.Writer, read func() (C, error), masked func(*C) any,
) (cfg C, done bool, err error) {
	flags := flag.NewFlagSet(program, flag.ContinueOnError)
	flags.SetOutput(out)
	version := flags.Bool("version", false, "print the version and exit")
	check := flags.Bool("check", false, "check the configuration and exit")
	printConfig := flags.Bool("print-config", false, "print the configuration, secrets masked, and exit")
	if err := flags.Parse(args); err != nil {
		return cfg, true, err
	}
	if *version {
		_, err := fmt.Fprintln(out, Version())
		return cfg, true, err
	}
	if cfg, err = read(); err != nil {
		return cfg, true, err
	}
	if *printConfig {
		text := json.NewEncoder(out)
		text.SetIndent("", "  ")
		return cfg, true, text.Encode(masked(&cfg))
	}
	if *check {
		_, err := fmt.Fprintln(out, "the configuration is valid")
		return cfg, true, err
	}
	return cfg, false, nil
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
