package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// table collects the values of benchmarks, one per round, in the order in which the benchmarks first appeared.
type table struct {
	skipped string // Why nothing was measured; empty when something was.
	order   []string
	rows    map[string]*row
}

type row struct {
	units  []string
	values map[string][]float64
}

func newTable() *table { return &table{rows: map[string]*row{}} }

func (t *table) add(name, unit string, value float64) {
	r := t.rows[name]
	if r == nil {
		r = &row{values: map[string][]float64{}}
		t.rows[name] = r
		t.order = append(t.order, name)
	}
	if r.values[unit] == nil {
		r.units = append(r.units, unit)
	}
	r.values[unit] = append(r.values[unit], value)
}

// print writes a line for each benchmark: the median of each unit, and the spread where it exceeds a tenth.
func (t *table) print(out io.Writer, title string) error {
	fmt.Fprintf(out, "\n%s\n", title)
	if t.skipped != "" {
		fmt.Fprintf(out, "  skipped: %s\n", t.skipped)
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, name := range t.order {
		fmt.Fprintf(w, "  %s", name)
		for _, unit := range t.rows[name].units {
			values := t.rows[name].values[unit]
			slices.Sort(values)
			fmt.Fprintf(w, "\t%s %s", short(values[len(values)/2]), unit)
			if low, high := values[0], values[len(values)-1]; high > 1.1*low {
				fmt.Fprintf(w, " (%s–%s)", short(low), short(high))
			}
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// goTest runs benchmarks of a package. Each round is a process that runs all of them, so that a slow minute of the
// machine slows ours and the raw limit alike.
func goTest(pkg, pattern, benchtime string) func(context.Context, settings, *table) error {
	return func(ctx context.Context, s settings, out *table) error {
		for range s.rounds {
			cmd := exec.CommandContext(ctx, "go", "test",
				"-run", "^$", "-bench", pattern, "-benchtime", benchtime, "-benchmem", pkg)
			text, err := cmd.CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w\n%s", err, text)
			}
			parse(text, out)
		}
		if len(out.order) == 0 {
			return errors.New(pkg + " has no benchmark " + pattern)
		}
		return nil
	}
}

var benchLine = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// parse reads the lines that testing.B prints: a name, a count, and pairs of value and unit.
func parse(text []byte, out *table) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		m := benchLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		fields := strings.Fields(m[2])
		for i := 0; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				out.add(m[1], fields[i+1], v)
			}
		}
	}
}

func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2fM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.1fk", v/1e3)
	case v >= 100 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
