package preflight

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Print writes the report as a table: result, check, finding, and below it what to do.
func (r Report) Print(w io.Writer) error {
	width := 0
	for _, l := range r {
		width = max(width, len(l.Check.Name))
	}
	var b strings.Builder
	for _, l := range r {
		fmt.Fprintf(&b, "%-4s  %-*s  %s\n", l.Level, width, l.Check.Name, l.Seen)
		if l.Do != "" {
			fmt.Fprintf(&b, "%-4s  %-*s  -> %s\n", "", width, "", l.Do)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Failed returns the number of failures.
func (r Report) Failed() int {
	n := 0
	for _, l := range r {
		if l.Level == Fail {
			n++
		}
	}
	return n
}

// Start decides whether the program may start. It returns an error that names every failure of a check that refuses the
// start, and logs all other failures and warnings.
func (r Report) Start(ctx context.Context, log *slog.Logger) error {
	var refusals []error
	for _, l := range r {
		switch {
		case l.Level == Fail && l.Check.Refuses:
			refusals = append(refusals, l.err())
		case l.Level == Fail, l.Level == Warn:
			log.WarnContext(ctx, "start-up check", slog.String("check", l.Check.Name), slog.String("result", l.Level.String()),
				slog.String("seen", l.Seen), slog.String("do", l.Do))
		default:
			log.DebugContext(ctx, "start-up check", slog.String("check", l.Check.Name), slog.String("result", l.Level.String()),
				slog.String("seen", l.Seen))
		}
	}
	return errors.Join(refusals...)
}

func (l Line) err() error {
	if l.Do == "" {
		return fmt.Errorf("%s: %s", l.Check.Name, l.Seen)
	}
	return fmt.Errorf("%s: %s; %s", l.Check.Name, l.Seen, l.Do)
}
