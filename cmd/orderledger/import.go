package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/orderledger/orderledger/internal/importer"
)

// shownRefusals bounds how many refused lines are printed one by one.
const shownRefusals = 20

func importCommand() *cobra.Command {
	var (
		cfg  importer.Config
		wait bool
	)
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Send a file of notifications, one a line, plain or gzip",
		Long: `import posts each line of the file to the ingest service. It keeps the order of lines within a
shipment, also across retries: a line is sent when the one before it has its 200. It retries as
long as the service is away. Importing a file twice changes nothing: the ledger knows repeats.

With --wait it returns when tables and pushes have caught up, and prints what became of the lines.`,
		Example: "  orderledger import --wait notifications.ndjson.gz\n  generate | orderledger import -",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return importFile(cmd, cfg, args[0], wait)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.URL, "url", cmp.Or(os.Getenv("ORDERLEDGER_URL"), "http://127.0.0.1:8080"), "the ingest service")
	flags.IntVar(&cfg.Concurrency, "concurrency", 64, "lines under way at a time")
	flags.StringVar(&cfg.CorrelationID, "correlation-id", "", "mark every input with this id (default: a new one)")
	flags.BoolVar(&wait, "wait", false, "return when tables and pushes have caught up")
	return cmd
}

func importFile(cmd *cobra.Command, cfg importer.Config, name string, wait bool) error {
	if u, err := url.Parse(cfg.URL); err != nil || u.Host == "" {
		return fmt.Errorf("--url %q: want http://host:port", cfg.URL)
	}
	if cfg.CorrelationID == "" {
		cfg.CorrelationID = "import-" + uuid.NewString()
	}
	in, size, err := openInput(cmd, name)
	if err != nil {
		return err
	}
	defer in.Close()
	bar := progressbar.NewOptions64(size, progressbar.OptionSetWriter(cmd.ErrOrStderr()), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription("importing"), progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish())
	// The bar follows the file as it lies on disk, so that it fits a compressed one too.
	counted := &countingReader{r: in}
	cfg.Progress = func(int64) { _ = bar.Set64(counted.n.Load()) }
	cfg.Retrying = func(line int, err error) {
		if failed := (*url.Error)(nil); errors.As(err, &failed) {
			err = failed.Err // Without the URL, which the operator knows.
		}
		bar.Describe(fmt.Sprintf("retrying line %d (Ctrl-C stops): %.70v", line, err))
	}
	result, err := importer.Import(cmd.Context(), cfg, counted)
	_ = bar.Finish()
	_ = bar.Clear()
	out := cmd.OutOrStdout()
	printResult(out, result)
	if err != nil {
		return fmt.Errorf("import %s: %w (importing the file again goes on where it stopped: repeats change nothing)", name, err)
	}
	if !wait {
		return nil
	}
	started := time.Now()
	if err := importer.Wait(cmd.Context(), cfg.URL, func(p importer.Progress) { bar.Describe(p.String()); _ = bar.RenderBlank() }); err != nil {
		return fmt.Errorf("wait for tables and pushes: %w", err)
	}
	_ = bar.Clear()
	fmt.Fprintf(out, "tables and pushes caught up %.1f s later\n", time.Since(started).Seconds())
	return printOutcomes(cmd.Context(), out, cfg)
}

// openInput opens a file, or standard input for "-", whose size is not known.
func openInput(cmd *cobra.Command, name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), -1, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder; import takes a file, or - for standard input", name)
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

type countingReader struct {
	r io.Reader
	n atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func printResult(out io.Writer, r importer.Result) {
	rate := float64(r.Accepted) / max(r.Elapsed.Seconds(), 1e-9)
	fmt.Fprintf(out, "%d lines: %d taken, %d refused, in %.1f s (%.0f a second, %d retries)\n",
		r.Lines, r.Accepted, len(r.Refused), r.Elapsed.Seconds(), rate, r.Retries)
	slices.SortFunc(r.Refused, func(a, b importer.Refusal) int { return a.Line - b.Line })
	for i, refusal := range r.Refused {
		if i == shownRefusals {
			fmt.Fprintf(out, "  and %d more\n", len(r.Refused)-i)
			break
		}
		fmt.Fprintf(out, "  line %d: %d %s\n", refusal.Line, refusal.Status, refusal.Reason)
	}
}

// printOutcomes shows how the import's inputs ended, as the decisions table has it.
func printOutcomes(ctx context.Context, out io.Writer, cfg importer.Config) error {
	counts, reasons, err := summary(ctx, cfg)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, outcome := range []string{"applied", "duplicate", "stale", "waiting", "quarantined"} {
		fmt.Fprintf(w, "%s\t%d\t\n", outcome, counts[outcome])
		delete(counts, outcome)
	}
	for _, outcome := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%s\t%d\t\n", outcome, counts[outcome])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(out, "  because of %s: %d\n", reason, reasons[reason])
	}
	return nil
}

// summary returns the counts of outcomes, and of the reasons for those that have one.
func summary(ctx context.Context, cfg importer.Config) (outcomes, reasons map[string]int, err error) {
	target := strings.TrimRight(cfg.URL, "/") + "/decisions/summary?correlation_id=" + url.QueryEscape(cfg.CorrelationID)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("ask what became of the import: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("ask what became of the import: answer %s", resp.Status)
	}
	var answer struct {
		Outcomes map[string]int `json:"outcomes"`
		Reasons  map[string]int `json:"reasons"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, nil, fmt.Errorf("read what became of the import: %w", err)
	}
	return answer.Outcomes, answer.Reasons, nil
}
