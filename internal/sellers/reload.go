package sellers

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ReloadInterval is the time between two looks at the sellers file.
const ReloadInterval = 5 * time.Second

// Reload says what a Reloader reads, and what it changes.
type Reload struct {
	// Path of the sellers file.
	Path string
	// Started is the configuration that Live began with. Everything but the sellers of the file stays as it is there.
	Started Config
	// Extra are sellers beside those of the file.
	Extra []Seller
	// Validate returns what is wrong with a new configuration. Nil means Config.Validate.
	Validate func(Config) error
	// Live gets each valid new configuration.
	Live *Live
	// Log gets a line for each file that is loaded or refused.
	Log *slog.Logger
	// Registerer gets the metrics. Nil means none.
	Registerer prometheus.Registerer
	// Every is the time between two looks. Zero means ReloadInterval.
	Every time.Duration
}

// Reloader puts the sellers of a changed file in force while the process runs. It reads the content each time, because
// neither the time nor the inode of a file is reliable: editors replace files, and a mounted ConfigMap is a chain of
// links.
type Reloader struct {
	Reload

	inForce Config
	seen    [sha256.Size]byte // Of the last content, or of the error that reading it gave.
	loaded  prometheus.Gauge
	refused prometheus.Gauge
	reloads *prometheus.CounterVec
}

// NewReloader returns a Reloader that does nothing until Run.
func NewReloader(r Reload) (*Reloader, error) {
	if r.Every == 0 {
		r.Every = ReloadInterval
	}
	if r.Validate == nil {
		r.Validate = Config.Validate
	}
	const prefix = "orderledger_sellers_"
	reloader := &Reloader{
		Reload: r, inForce: r.Started,
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: prefix + "last_load_timestamp_seconds", Help: "When the sellers in force were loaded, in Unix seconds.",
		}),
		refused: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: prefix + "file_refused",
			Help: "1 while the sellers file is not in force, because it can't be read or is not valid; otherwise 0.",
		}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "reloads_total", Help: "Changes of the sellers file, by result: loaded or refused.",
		}, []string{"result"}),
	}
	for _, result := range []string{"loaded", "refused"} {
		reloader.reloads.WithLabelValues(result) // An alert that watches an increase needs the series from the start.
	}
	reloader.loaded.SetToCurrentTime()
	if r.Registerer == nil {
		return reloader, nil
	}
	for _, c := range []prometheus.Collector{reloader.loaded, reloader.refused, reloader.reloads} {
		if err := r.Registerer.Register(c); err != nil {
			return nil, fmt.Errorf("sellers: register metrics: %w", err)
		}
	}
	return reloader, nil
}

// Run looks at the file until ctx ends. It never returns because of a file.
func (r *Reloader) Run(ctx context.Context) error {
	tick := time.NewTicker(r.Every)
	defer tick.Stop()
	for {
		r.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look loads the file if it has changed since the last look. A file that is refused is logged once.
func (r *Reloader) look(ctx context.Context) {
	data, err := os.ReadFile(filepath.Clean(r.Path))
	sum := sha256.Sum256(data)
	if err != nil {
		sum = sha256.Sum256([]byte(err.Error()))
	}
	if sum == r.seen {
		return
	}
	r.seen = sum
	next := r.Started
	if err == nil {
		next.Sellers, err = Unmarshal(data)
		next.Sellers = append(next.Sellers, r.Extra...)
	}
	if err == nil {
		err = r.Validate(next)
	}
	if err != nil {
		r.refused.Set(1)
		r.reloads.WithLabelValues("refused").Inc()
		r.Log.LogAttrs(ctx, slog.LevelError, "sellers file refused, the last good one stays in force",
			slog.String("path", r.Path), slog.Any("err", err))
		return
	}
	r.refused.Set(0)
	if reflect.DeepEqual(next.Sellers, r.inForce.Sellers) {
		return // The content at the start, or a change that means nothing.
	}
	r.inForce = next
	r.Live.Replace(next)
	r.loaded.SetToCurrentTime()
	r.reloads.WithLabelValues("loaded").Inc()
	r.Log.LogAttrs(ctx, slog.LevelInfo, "sellers file loaded",
		slog.String("path", r.Path), slog.Int("sellers", len(next.Sellers)))
}
