package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/orderledger/orderledger/internal/console"
	"github.com/orderledger/orderledger/internal/importer"
	"github.com/orderledger/orderledger/internal/setting"
)

// shownRefusals is the largest number of refused lines that import prints.
const shownRefusals = 20

// The variables of import.
const (
	envURL               = "ORDERLEDGER_URL"
	envNotificationToken = "ORDERLEDGER_NOTIFICATION_TOKEN"
	envOperatorToken     = "ORDERLEDGER_OPERATOR_TOKEN" //nolint:gosec // The name of a variable.
)

const defaultURL = "http://127.0.0.1:8080"

func importCommand() *cobra.Command {
	var (
		cfg   importer.Config
		wait  bool
		token string // The operator's.
	)
	e := setting.NewReader(os.Getenv)
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Send a file of notifications, one per line, plain or gzip",
		Long: `import posts each line of the file to the ingest service. It keeps the order of the lines of a
shipment, also across retries: it sends a line when the line before it was answered with 200. It
retries while the service is unavailable. Importing a file twice changes nothing, because the
ledger recognizes repeats. A byte order mark, CRLF and blank lines do not matter; the text is UTF-8.

It ends at once with what concerns every line: a wrong address or certificate, a token that is not
accepted (401, 403), an answer that no ledger gives, a truncated file.

It exits with 0 if the service accepted every line, and with 1 otherwise: if it refused some, which
import names, if the file was not sent to its end, or if you stopped it (Ctrl-C, SIGTERM). A line
that the ledger quarantines later was accepted; --wait counts those.

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
			readImport(e, &cfg, &token, cmd.Flags().Changed)
			if len(e.Problems()) > 0 {
				return errors.Join(e.Problems()...)
			}
			if err := importer.CheckURL(cfg.URL); err != nil {
				return fmt.Errorf("%s: %w", nameOf(cmd, e, "url", envURL), err)
			}
			var operator *importer.Operator
			if wait {
				operator = &importer.Operator{URL: cfg.URL, Token: token}
			}
			return importFile(cmd, cfg, args[0], operator)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.URL, "url", defaultURL, "URL of the ingest service (or "+envURL+")")
	flags.StringVar(&cfg.Token, "token", "",
		"notification token of the sellers in the file (default: "+envNotificationToken+")")
	flags.IntVar(&cfg.Concurrency, "concurrency", 64, "lines in flight at a time")
	flags.StringVar(&cfg.CorrelationID, "correlation-id", "", "correlation id of every line (default: a new one)")
	flags.StringVar(&token, "operator-token", "",
		"token of the service's operator, for --wait (default: "+envOperatorToken+")")
	flags.BoolVar(&cfg.History, "history", false, "mark the shipments that the file creates as history")
	flags.BoolVar(&wait, "wait", false, "return when tables and pushes have caught up")
	return cmd
}

// readImport reads the variables that stand for flags that were not given.
func readImport(e *setting.Reader, cfg *importer.Config, operatorToken *string, given func(flag string) bool) {
	if !given("url") {
		e.Text(envURL, &cfg.URL, "`import`: in place of `--url`")
	}
	for _, v := range []struct {
		flag, name, meaning string
		to                  *string
	}{
		{"token", envNotificationToken, "`import`: in place of `--token`, which lists of processes show", &cfg.Token},
		{
			"operator-token", envOperatorToken, "`import --wait`: in place of `--operator-token`, which lists of processes show",
			operatorToken,
		},
	} {
		if !given(v.flag) {
			secret := setting.NewSecret(*v.to)
			e.Secret(v.name, &secret, v.meaning)
			*v.to = secret.Reveal()
		}
	}
}

// importFile imports a file, and waits for the result if there is an operator to ask for it.
func importFile(cmd *cobra.Command, cfg importer.Config, name string, operator *importer.Operator) error {
	ctx := cmd.Context()
	if cfg.Concurrency < 1 {
		return fmt.Errorf("--concurrency %d: want 1 or more", cfg.Concurrency)
	}
	if cfg.CorrelationID == "" {
		cfg.CorrelationID = "import-" + uuid.NewString()
	}
	if operator != nil {
		if err := admitted(ctx, *operator); err != nil {
			return err
		}
	}
	in, size, err := openInput(ctx, cmd.InOrStdin(), name)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer in.Close()
	shown := newProgress(cmd.ErrOrStderr(), size, time.Now)
	// The bytes of the file on disk, so that the progress is right for a compressed file too.
	counted := &countingReader{r: in}
	cfg.Progress = func(int64) { shown.advance(counted.n.Load()) }
	cfg.Retrying = func(line int, err error) {
		if failed := (*url.Error)(nil); errors.As(err, &failed) {
			err = failed.Err // The operator knows the URL.
		}
		shown.wait(fmt.Sprintf("retrying line %d (Ctrl-C stops): %.70v", line, err))
	}
	cfg.Silent = func(line int, since time.Duration) {
		shown.wait(fmt.Sprintf("line %d has no answer for %s; still waiting (Ctrl-C stops)", line, since))
	}
	result, err := importer.Import(ctx, cfg, counted)
	shown.clear()
	printResult(screenOf(cmd), "", result)
	if fault := (*importer.FaultError)(nil); errors.As(err, &fault) {
		return fmt.Errorf("import %s: %w", name, err)
	}
	if err != nil {
		return fmt.Errorf("import %s: %w (import the file again to continue: repeats change nothing)",
			name, interrupted(ctx, err))
	}
	if operator != nil {
		if err := awaitTables(ctx, screenOf(cmd), *operator, shown, cfg.CorrelationID); err != nil {
			return interrupted(ctx, err)
		}
	}
	if n := len(result.Refused); n > 0 {
		return fmt.Errorf("import %s: the service refused %d of %d lines", name, n, result.Lines)
	}
	return nil
}

// admitted returns an error if the service will not answer the operator. It is asked before the lines are sent: any
// other error may be gone when they are.
func admitted(ctx context.Context, operator importer.Operator) error {
	_, err := operator.Progress(ctx)
	var fault *importer.FaultError
	switch {
	case errors.Is(err, importer.ErrToken):
		return fmt.Errorf("--wait needs --operator-token: %w", err)
	case errors.As(err, &fault):
		return fmt.Errorf("--wait: %w", fault)
	}
	return nil
}

// awaitTables returns when tables and pushes have caught up, and prints the outcomes of the lines.
func awaitTables(
	ctx context.Context, screen console.Screen, operator importer.Operator, shown *progress, correlationID string,
) error {
	started := time.Now()
	err := operator.Wait(ctx, func(p importer.Progress) { shown.wait(p.String()) })
	shown.clear()
	if err != nil {
		return fmt.Errorf("wait for tables and pushes: %w", err)
	}
	fmt.Fprintf(screen.Out, "tables and pushes caught up %.1f s later\n", time.Since(started).Seconds())
	return printOutcomes(ctx, screen, operator, correlationID)
}

// interrupted says that the user ended the work, instead of what that broke off.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// openInput opens a file, or standard input for "-", which has no known size. It returns at the end of the context also
// while a named pipe waits for its writer.
func openInput(ctx context.Context, stdin io.Reader, name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(stdin), -1, nil
	}
	type opened struct {
		file *os.File
		err  error
	}
	ready := make(chan opened, 1)
	go func() {
		f, err := os.Open(filepath.Clean(name))
		ready <- opened{f, err}
	}()
	var f *os.File
	select {
	case o := <-ready:
		if o.err != nil {
			return nil, 0, o.err
		}
		f = o.file
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder; want a file, or - for standard input", name)
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return f, -1, nil // A pipe or a device has no size.
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

// printResult prints the result behind a label, and the refused lines.
func printResult(screen console.Screen, label string, r importer.Result) {
	rate := float64(r.Accepted) / max(r.Elapsed.Seconds(), 1e-9)
	screen.Wrap(label, fmt.Sprintf("%d lines: %d accepted, %d refused, in %.1f s (%.0f per second, %d retries)",
		r.Lines, r.Accepted, len(r.Refused), r.Elapsed.Seconds(), rate, r.Retries))
	for i, refusal := range r.Refused {
		if i == shownRefusals {
			fmt.Fprintf(screen.Out, "  and %d more\n", len(r.Refused)-i)
			break
		}
		status := "" // A line that is too long was not sent.
		if refusal.Status != 0 {
			status = fmt.Sprintf("%d ", refusal.Status)
		}
		screen.Wrap("  ", fmt.Sprintf("line %d: %s%s", refusal.Line, status, refusal.Reason))
	}
}

// printOutcomes prints the outcomes of the import's inputs, from the table of decisions.
func printOutcomes(ctx context.Context, screen console.Screen, operator importer.Operator, correlationID string) error {
	counts, reasons, err := operator.Summary(ctx, correlationID)
	if err != nil {
		return fmt.Errorf("read the outcomes of the import: %w", err)
	}
	table := screen.NewTable("      ", console.Column{}, console.Column{Right: true})
	row := func(outcome string) {
		table.Row(console.Cell{Text: outcome, Style: styleOf(outcome)}, console.Cell{Text: fmt.Sprint(counts[outcome])})
		delete(counts, outcome)
	}
	for _, outcome := range []string{"applied", "duplicate", "stale", "waiting", "quarantined"} {
		row(outcome)
	}
	for _, outcome := range slices.Sorted(maps.Keys(counts)) {
		row(outcome)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(screen.Out, "  reason %s: %d\n", reason, reasons[reason])
	}
	return nil
}
