package preflight

import (
	"context"
	"fmt"
	"time"
)

// Limit bounds one check.
const Limit = 20 * time.Second

// Level is the severity of a finding.
type Level int

const (
	// OK means that all is well.
	OK Level = iota
	// Warn means that the program works but an operator should look, or that the check could not find out.
	Warn
	// Fail means that something does not work or is not safe.
	Fail
	// Skip means that the check did not run, because one that it depends on failed.
	Skip
)

// String returns the level for tables and logs.
func (l Level) String() string { return [...]string{"ok", "warn", "FAIL", "skip"}[l] }

// Finding is one result of a check.
type Finding struct {
	Level Level
	// Seen says what was found and where. Do says what to do about it; it is empty when nothing is to be done.
	Seen, Do string
}

// Good returns a finding that all is well.
func Good(format string, args ...any) Finding {
	return Finding{Level: OK, Seen: fmt.Sprintf(format, args...)}
}

// Warning returns a finding that an operator should look at.
func Warning(do, format string, args ...any) Finding {
	return Finding{Level: Warn, Seen: fmt.Sprintf(format, args...), Do: do}
}

// Failure returns a finding that something does not work or is not safe.
func Failure(do, format string, args ...any) Finding {
	return Finding{Level: Fail, Seen: fmt.Sprintf(format, args...), Do: do}
}

// Check is one question about a server or setting that the program depends on.
type Check struct {
	// Name says in a few words what is checked. It is unique within a program.
	Name string
	// Needs names an earlier check. When that one fails, this one is skipped. Empty means none.
	Needs string
	// Refuses says that the program must not start after a failure: it would lose or reorder data, or could do nothing at
	// all.
	Refuses bool
	// Run reads and changes nothing. It returns at least one finding.
	Run func(ctx context.Context) []Finding
}

// Line is a finding together with its check.
type Line struct {
	Check Check
	Finding
}

// Report holds the findings of all checks, in their order.
type Report []Line

// Run runs the checks one after the other.
func Run(ctx context.Context, checks []Check) Report {
	var report Report
	failed := map[string]bool{}
	for _, c := range checks {
		if failed[c.Needs] {
			failed[c.Name] = true
			report = append(report, Line{c, Finding{Level: Skip, Seen: "skipped, because " + c.Needs + " failed"}})
			continue
		}
		for _, f := range c.within(ctx) {
			failed[c.Name] = failed[c.Name] || f.Level == Fail
			report = append(report, Line{c, f})
		}
	}
	return report
}

func (c Check) within(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	return c.Run(ctx)
}
