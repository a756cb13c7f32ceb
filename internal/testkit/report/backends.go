package main

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/orderledger/orderledger/internal/testkit"
)

// testkit logs these lines: in each test that uses a backend its name, with the version, which begins with a digit, and
// a remark in parentheses if it has them; in each test of a backend that is not available, the reason.
var (
	backendLine = regexp.MustCompile(`testkit: backend (.+?)(?: (\d\S*))?(?: \((.+)\))?$`)
	absentLine  = regexp.MustCompile(`testkit: absent (.+?): (.+)$`)
)

// backend collects what the tests log about one backend.
type backend struct {
	versions map[string]bool // With their remarks.
	tests    map[string]bool
	ended    map[string]int // The number of tests by the action that ended them: pass, fail, skip.
	absent   string
}

// backends are the backends by name. The four of testkit are always listed, so that one without a test shows.
type backends map[string]*backend

func newBackends() backends {
	b := backends{}
	for _, kafka := range []testkit.KafkaBackend{testkit.Kfake, testkit.Apache} {
		b.get(string(kafka))
	}
	for _, clickHouse := range []testkit.ClickHouseBackend{testkit.Embedded, testkit.Server} {
		b.get(string(clickHouse))
	}
	return b
}

func (b backends) get(name string) *backend {
	if b[name] == nil {
		b[name] = &backend{versions: map[string]bool{}, tests: map[string]bool{}, ended: map[string]int{}}
	}
	return b[name]
}

// read takes a line of a test's log.
func (b backends) read(test, text string) {
	if m := backendLine.FindStringSubmatch(text); m != nil {
		of := b.get(m[1])
		of.tests[test] = true
		if m[3] != "" {
			m[2] = strings.TrimSpace(m[2] + " (" + m[3] + ")")
		}
		if m[2] != "" {
			of.versions[m[2]] = true
		}
	}
	if m := absentLine.FindStringSubmatch(text); m != nil {
		b.get(m[1]).absent = m[2]
	}
}

// end counts a test that has ended.
func (b backends) end(test, action string) {
	for _, of := range b {
		if of.tests[test] {
			of.ended[action]++
		}
	}
}

func (b backends) table(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "backend\tversion\ttests\tpassed\tfailed\tskipped")
	for _, name := range slices.Sorted(maps.Keys(b)) {
		of := b[name]
		if len(of.tests) == 0 {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\n", name, strings.Join(slices.Sorted(maps.Keys(of.versions)), ", "),
			len(of.tests), of.ended["pass"], of.ended["fail"], of.ended["skip"])
	}
	_ = table.Flush()
	for _, name := range slices.Sorted(maps.Keys(b)) {
		of := b[name]
		switch {
		case len(of.tests) > 0:
		case of.absent != "":
			fmt.Fprintf(out, "not available: %s: %s\n", name, of.absent)
		default:
			fmt.Fprintf(out, "not used: %s\n", name)
		}
	}
}
