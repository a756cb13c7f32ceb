package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/orderledger/orderledger/internal/importer"
)

// shownRefusals is the largest number of refused lines that import prints.
const shownRefusals = 20

func importCommand() *cobra.Command {
	var (
		cfg   importer.Config
		wait  bool
		token string // The operator's.
	)
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Send a file of notifications, one per line, plain or gzip",
		Long: `import posts each line of the file to the ingest service. It keeps the order of the lines of a
shipment, also across retries: it sends a line when the line before it was answered with 200. It
retries while the service is unavailable. Importing a file twice changes nothing, because the
ledger recognizes repeats.

Unless the intake of the service is open, every line needs a notification token that speaks for its
seller: --token, or ORDERLEDGER_NOTIFICATION_TOKEN, which does not show in lists of processes.

With --history, shipments that the file creates are marked as history: their events carry the mark, and
the emitter pushes nothing of them, except to endpoints that ask for history. Use it for orders that
are finished, and import unfinished orders without it: the mark stays for life. Shipments that the
ledger has already are not marked. The service must have open intake, or the token must be a
notification token.

With --wait it returns when tables and pushes have caught up, and prints the outcomes of the lines.
Unless the intake of the service is open, that needs the token that the service has in
ORDERLEDGER_INGEST_OPERATOR_TOKEN: --operator-token, or ORDERLEDGER_OPERATOR_TOKEN.`,
		Example: "  orderledger import --wait notifications.ndjson.gz\n  generate | orderledger import -",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("token") { // Not the flag's default, which --help would show.
				cfg.Token = os.Getenv("ORDERLEDGER_NOTIFICATION_TOKEN")
			}
			if !cmd.Flags().Changed("operator-token") {
				token = os.Getenv("ORDERLEDGER_OPERATOR_TOKEN")
			}
			var operator *importer.Operator
			if wait {
				operator = &importer.Operator{URL: cfg.URL, Token: token}
			}
			return importFile(cmd, cfg, args[0], operator)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.URL, "url", cmp.Or(os.Getenv("ORDERLEDGER_URL"), "http://127.0.0.1:8080"),
		"URL of the ingest service")
	flags.StringVar(&cfg.Token, "token", "",
		"notification token of the sellers in the file (default: ORDERLEDGER_NOTIFICATION_TOKEN)")
	flags.IntVar(&cfg.Concurrency, "concurrency", 64, "lines in flight at a time")
	flags.StringVar(&cfg.CorrelationID, "correlation-id", "", "correlation id of every line (default: a new one)")
	flags.StringVar(&token, "operator-token", "",
		"token of the service's operator, for --wait (default: ORDERLEDGER_OPERATOR_TOKEN)")
	flags.BoolVar(&cfg.History, "history", false, "mark the shipments that the file creates as history")
	flags.BoolVar(&wait, "wait", false, "return when tables and pushes have caught up")
	return cmd
}

// importFile imports a file, and waits for the result if there is an operator to ask for it.
func importFile(cmd *cobra.Command, cfg importer.Config, name string, operator *importer.Operator) error {
	if u, err := url.Parse(cfg.URL); err != nil || u.Host == "" {
		return fmt.Errorf("--url %q: want http://host:port", cfg.URL)
	}
	if cfg.CorrelationID == "" {
		cfg.CorrelationID = "import-" + uuid.NewString()
	}
	if operator != nil {
		// Before the lines are sent. Any other error may be gone when they are.
		if _, err := operator.Progress(cmd.Context()); errors.Is(err, importer.ErrToken) {
			return fmt.Errorf("--wait needs --operator-token: %w", err)
		}
	}
	in, size, err := openInput(cmd, name)
	if err != nil {
		return err
	}
	defer in.Close()
	bar := progressbar.NewOptions64(size, progressbar.OptionSetWriter(cmd.ErrOrStderr()),
		progressbar.OptionShowBytes(true), progressbar.OptionSetDescription("importing"),
		progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish())
	// The bar counts the bytes of the file on disk, so that it is right for a compressed file too.
	counted := &countingReader{r: in}
	cfg.Progress = func(int64) { _ = bar.Set64(counted.n.Load()) }
	cfg.Retrying = func(line int, err error) {
		if failed := (*url.Error)(nil); errors.As(err, &failed) {
			err = failed.Err // The operator knows the URL.
		}
		bar.Describe(fmt.Sprintf("retrying line %d (Ctrl-C stops): %.70v", line, err))
	}
	result, err := importer.Import(cmd.Context(), cfg, counted)
	_ = bar.Finish()
	_ = bar.Clear()
	out := cmd.OutOrStdout()
	printResult(out, result)
	if err != nil {
		return fmt.Errorf("import %s: %w (import the file again to continue: repeats change nothing)", name, err)
	}
	if operator == nil {
		return nil
	}
	started := time.Now()
	err = operator.Wait(cmd.Context(), func(p importer.Progress) {
		bar.Describe(p.String())
		_ = bar.RenderBlank()
	})
	if err != nil {
		return fmt.Errorf("wait for tables and pushes: %w", err)
	}
	_ = bar.Clear()
	fmt.Fprintf(out, "tables and pushes caught up %.1f s later\n", time.Since(started).Seconds())
	return printOutcomes(cmd.Context(), out, *operator, cfg.CorrelationID)
}

// openInput opens a file, or standard input for "-", which has no known size.
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
		err = fmt.Errorf("%s is a folder; want a file, or - for standard input", name)
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
	fmt.Fprintf(out, "%d lines: %d accepted, %d refused, in %.1f s (%.0f per second, %d retries)\n",
		r.Lines, r.Accepted, len(r.Refused), r.Elapsed.Seconds(), rate, r.Retries)
	slices.SortFunc(r.Refused, func(a, b importer.Refusal) int { return cmp.Compare(a.Line, b.Line) })
	for i, refusal := range r.Refused {
		if i == shownRefusals {
			fmt.Fprintf(out, "  and %d more\n", len(r.Refused)-i)
			break
		}
		fmt.Fprintf(out, "  line %d: %d %s\n", refusal.Line, refusal.Status, refusal.Reason)
	}
}

// printOutcomes prints the outcomes of the import's inputs, from the table of decisions.
func printOutcomes(ctx context.Context, out io.Writer, operator importer.Operator, correlationID string) error {
	counts, reasons, err := operator.Summary(ctx, correlationID)
	if err != nil {
		return fmt.Errorf("read the outcomes of the import: %w", err)
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
		fmt.Fprintf(out, "  reason %s: %d\n", reason, reasons[reason])
	}
	return nil
}
