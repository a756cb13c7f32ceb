package preflight

import (
	"context"
	"fmt"
	"time"
)

// Limit bounds one check.
const Limit = 20 * time.Second

// Level says how a finding is to be taken.
type Level int

const (
	// OK is as it should be.
	OK Level = iota
	// Warn works, but an operator should look at it, or it could not be found out.
	Warn
	// Fail does not work, or is not safe.
	Fail
	// Skip was not looked at, because something that it needs has failed.
	Skip
)

// String returns the level as tables and logs show it.
func (l Level) String() string { return [...]string{"ok", "warn", "FAIL", "skip"}[l] }

// Finding is one thing that a check saw.
type Finding struct {
	Level Level
	// Seen is what was found and where. Do is what to do about it; empty when it is all right.
	Seen, Do string
}

// Good is a finding that all is well.
func Good(format string, args ...any) Finding {
	return Finding{Level: OK, Seen: fmt.Sprintf(format, args...)}
}

// Warning is a finding that is worth a line in the log.
func Warning(do, format string, args ...any) Finding {
	return Finding{Level: Warn, Seen: fmt.Sprintf(format, args...), Do: do}
}

// Failure is a finding that something does not work or is not safe.
func Failure(do, format string, args ...any) Finding {
	return Finding{Level: Fail, Seen: fmt.Sprintf(format, args...), Do: do}
}

// Check is one question about what the program depends on.
type Check struct {
	// Name says in few words what is checked. It is unique in a program.
	Name string
	// Needs names a check before this one, without whose success this one makes no sense. Empty means none.
	Needs string
	// Refuses says that with a failure the program would lose or reorder data, or could do nothing at all, so that it must
	// not start.
	Refuses bool
	// Run looks and changes nothing. It returns at least one finding.
	Run func(ctx context.Context) []Finding
}

// Line is a finding with the check that made it.
type Line struct {
	Check Check
	Finding
}

// Report is what all checks found, in their order.
type Report []Line

// Run runs the checks one after the other.
func Run(ctx context.Context, checks []Check) Report {
	var report Report
	failed := map[string]bool{}
	for _, c := range checks {
		if failed[c.Needs] {
			failed[c.Name] = true
			report = append(report, Line{c, Finding{Level: Skip, Seen: "not looked at, because " + c.Needs + " failed"}})
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
