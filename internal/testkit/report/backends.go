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

// What testkit logs in each test that uses a backend: its name, then a version that begins with a digit, then a remark
// in parentheses, both if it has them. And in each test that would have used one that is not there, why.
var (
	backendLine = regexp.MustCompile(`testkit: backend (.+?)(?: (\d\S*))?(?: \((.+)\))?$`)
	absentLine  = regexp.MustCompile(`testkit: absent (.+?): (.+)$`)
)

// backend is what is known of one.
type backend struct {
	versions map[string]bool // With remarks.
	tests    map[string]bool
	ended    map[string]int // By the action of the stream: pass, fail, skip.
	absent   string
}

// backends are by name. The four of testkit are always there: one without a test must be seen too.
type backends map[string]*backend

func newBackends() backends {
	b := backends{}
	for _, name := range []string{string(testkit.Kfake), string(testkit.Apache), string(testkit.Embedded), string(testkit.Server)} {
		b.get(name)
	}
	return b
}

func (b backends) get(name string) *backend {
	if b[name] == nil {
		b[name] = &backend{versions: map[string]bool{}, tests: map[string]bool{}, ended: map[string]int{}}
	}
	return b[name]
}

// read takes a line that a test has logged.
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

// end takes what became of a test.
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
			fmt.Fprintf(out, "not there: %s: %s\n", name, of.absent)
		default:
			fmt.Fprintf(out, "not used: %s\n", name)
		}
	}
}
