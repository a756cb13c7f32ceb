package service

import (
	"io"
	"log/slog"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// Version returns the version of the binary: that of the module, and the commit when it is known.
func Version() string {
	version, revision, _ := build()
	if revision == "" {
		return version
	}
	return version + " (" + revision + ")"
}

func build() (version, revision, goVersion string) {
	version = "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, "", ""
	}
	if info.Main.Version != "" {
		version = info.Main.Version
	}
	dirty := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			dirty = s.Value == "true"
		}
	}
	if dirty && revision != "" {
		revision += ", modified"
	}
	return version, revision, info.GoVersion
}

// ExportVersion registers the metric orderledger_build_info, which is always 1 and has the version in its labels. A nil
// registerer exports nothing.
func ExportVersion(reg prometheus.Registerer, program string) error {
	if reg == nil {
		return nil
	}
	version, revision, goVersion := build()
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "orderledger_build_info",
		Help: "Always 1. The labels hold the program and its build.",
		ConstLabels: prometheus.Labels{
			"program": program, "version": version, "revision": revision, "go": goVersion,
		},
	})
	g.Set(1)
	return reg.Register(g)
}

// Logger returns a logger that writes JSON lines of at least level to w, each with the name of the program.
func Logger(w io.Writer, level slog.Leveler, program string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})).With(slog.String("program", program))
}
