// Command bench runs the benchmarks that belong together several times in one run, ours beside the raw limit, and prints
// the medians with the spread. On a noisy machine only figures of one run may be compared, and only their medians.
//
//	go run ./internal/testkit/bench [-count 5] [-only lane]
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// suite is a group of benchmarks to be read side by side.
type suite struct {
	name, title, pkg, pattern, benchtime string
}

var suites = []suite{
	{"decide", "Decide and Evolve, one shipment", "./internal/shipment", "DecideEvolve", "1s"},
	{"codec", "Event codec", "./events", ".", "300ms"},
	{"lane", "Lane commit beside a plain produce with acks=all", "./internal/journal", "Lane|PlainProduce", "1s"},
	{"projector", "Projector beside the bare INSERT … FROM INFILE of the same rows", "./internal/projector", ".", "1x"},
	{"emitter", "Emitter beside a bare POST loop", "./internal/emitter", "Deliver|BarePost", "2s"},
}

func main() {
	count := flag.Int("count", 5, "how often to run each benchmark")
	only := flag.String("only", "", "run only this suite: "+names())
	flag.Parse()
	failed := false
	for _, s := range suites {
		if *only != "" && *only != s.name {
			continue
		}
		if err := s.run(*count, os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "bench %s: %v\n", s.name, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

func names() string {
	list := make([]string, len(suites))
	for i, s := range suites {
		list[i] = s.name
	}
	return strings.Join(list, ", ")
}

// figures are the values of one benchmark by unit, one for each run.
type figures map[string][]float64

// run executes the suite and prints its table. Runs are interleaved by the test binary's -count, so that a slow minute
// of the machine hits ours and theirs alike.
func (s suite) run(count int, out io.Writer) error {
	all := map[string]figures{}
	var order []string
	for range count {
		cmd := exec.Command("go", "test", "-run", "^$", "-bench", s.pattern, "-benchtime", s.benchtime, "-benchmem", s.pkg)
		text, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, text)
		}
		parse(text, all, &order)
	}
	if len(order) == 0 {
		return fmt.Errorf("%s has no benchmark %s", s.pkg, s.pattern)
	}
	fmt.Fprintf(out, "\n%s (medians of %d)\n", s.title, count)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, name := range order {
		fmt.Fprintf(w, "  %s", name)
		for _, unit := range slices.Sorted(maps.Keys(all[name])) {
			values := all[name][unit]
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

var benchLine = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// parse reads the lines that testing.B prints: a name, a count, and pairs of value and unit.
func parse(text []byte, all map[string]figures, order *[]string) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		m := benchLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		f := all[m[1]]
		if f == nil {
			f = figures{}
			all[m[1]] = f
			*order = append(*order, m[1])
		}
		fields := strings.Fields(m[2])
		for i := 0; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				f[fields[i+1]] = append(f[fields[i+1]], v)
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
