package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/console"
)

// line is one event of the stream, see `go doc test2json`.
type line struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

// result is what has been read so far.
type result struct {
	output   map[string][]string
	backends backends
	skipped  map[string][]string
	passed   int
	failed   []string
}

func main() {
	screen := console.NewScreen(os.Stdout, false, os.Getenv)
	if os.Getenv("TERM") == "dumb" {
		screen.Width = 0 // It can't rewrite a line.
	}
	ok, err := report(os.Stdin, newStatus(screen))
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// report reads the events from in, prints to out, and reports whether every test passed.
func report(in io.Reader, out *status) (bool, error) {
	r := result{output: map[string][]string{}, backends: newBackends(), skipped: map[string][]string{}}
	lines := make(chan []byte)
	failed := make(chan error, 1)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, 16<<20)
		for scanner.Scan() {
			lines <- slices.Clone(scanner.Bytes())
		}
		failed <- scanner.Err()
	}()
	tick := time.NewTicker(out.every())
	defer tick.Stop()
	for open := true; open; {
		var text []byte
		select {
		case text, open = <-lines:
		case <-tick.C:
			out.draw(&r)
			continue
		}
		var l line
		switch err := json.Unmarshal(text, &l); {
		case !open:
		case err != nil:
			fmt.Fprintln(out, string(text))
		default:
			out.take(l)
			r.take(l, out)
		}
	}
	r.summary(out)
	return len(r.failed) == 0, <-failed
}

func (r *result) take(l line, out io.Writer) {
	name := l.Package + " " + l.Test
	r.backends.end(name, l.Action)
	switch l.Action {
	case "build-output":
		fmt.Fprint(out, l.Output)
	case "output":
		r.output[name] = append(r.output[name], l.Output)
		r.backends.read(name, strings.TrimSpace(l.Output))
	case "pass", "skip":
		switch {
		case l.Test == "" && l.Action == "pass":
			fmt.Fprintf(out, "ok    %-60s %6.1f s\n", l.Package, l.Elapsed)
		case l.Test != "" && l.Action == "pass":
			r.passed++
		case l.Test != "":
			reason := skipReason(r.output[name])
			r.skipped[reason] = append(r.skipped[reason], name)
		}
		delete(r.output, name)
	case "fail":
		r.failed = append(r.failed, name)
		fmt.Fprintf(out, "FAIL  %s (%.1f s)\n", name, l.Elapsed)
		output := r.output[name]
		if l.Test == "" {
			r.unfinished(l.Package, out)
			output = bounded(output) // TestMain may have panicked.
		}
		fmt.Fprint(out, strings.Join(output, ""))
		delete(r.output, name)
	}
}

// unfinished prints the output of the tests of a package that have not ended: the package ran into its limit, or
// something panicked outside of a test. `go test` attributes the stacks to a test that ran at that moment.
func (r *result) unfinished(pkg string, out io.Writer) {
	for _, name := range slices.Sorted(maps.Keys(r.output)) {
		test, found := strings.CutPrefix(name, pkg+" ")
		if !found || test == "" {
			continue
		}
		// A test that only waited for its turn has nothing else.
		if slices.ContainsFunc(r.output[name], func(text string) bool { return !strings.HasPrefix(text, "=== ") }) {
			fmt.Fprintf(out, "did not end: %s\n%s", test, strings.Join(bounded(r.output[name]), ""))
		}
		delete(r.output, name)
	}
}

const (
	// maxLines is how much of one test's output is printed: the stacks of a package may be those of thousands of
	// goroutines.
	maxLines = 1000
	// linesBefore is how much of that comes before the panic.
	linesBefore = 100
)

// bounded returns the part of an output that is worth its space: what surrounds the panic, otherwise the end.
func bounded(output []string) []string {
	if len(output) <= maxLines {
		return output
	}
	from := len(output) - maxLines
	if at := slices.IndexFunc(output, beginsStacks); at >= 0 {
		from = min(max(at-linesBefore, 0), from)
	}
	shown := slices.Clone(output[from : from+maxLines])
	if from > 0 {
		shown = slices.Insert(shown, 0, fmt.Sprintf("… %d lines left out\n", from))
	}
	if after := len(output) - from - maxLines; after > 0 {
		shown = append(shown, fmt.Sprintf("… %d lines left out\n", after))
	}
	return shown
}

// beginsStacks reports whether the Go runtime prints stacks after this line: after a panic, a fatal error, or the
// SIGQUIT with which `go test` ends a process that is stuck beyond its limit.
func beginsStacks(text string) bool {
	return strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ") ||
		strings.HasPrefix(text, "SIGQUIT: ")
}

// skipReason returns the text that a test passed to t.Skip, without the position.
func skipReason(output []string) string {
	for _, text := range slices.Backward(output) {
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "---") || strings.HasPrefix(text, "===") {
			continue
		}
		if _, reason, found := strings.Cut(text, ".go:"); found {
			if _, reason, found = strings.Cut(reason, ": "); found {
				return reason
			}
		}
		return text
	}
	return "no reason given"
}

func (r *result) summary(out io.Writer) {
	fmt.Fprintln(out)
	r.backends.table(out)
	fmt.Fprintln(out)
	reasons := make([]string, 0, len(r.skipped))
	for reason := range r.skipped {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		fmt.Fprintf(out, "skipped %d: %s\n", len(r.skipped[reason]), reason)
	}
	fmt.Fprintln(out, r.counts())
}

func (r *result) counts() string {
	skipped := 0
	for _, tests := range r.skipped {
		skipped += len(tests)
	}
	return fmt.Sprintf("%d passed, %d skipped, %d failed", r.passed, skipped, len(r.failed))
}
