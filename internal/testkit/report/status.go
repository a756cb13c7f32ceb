package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/console"
)

// status is the output, with how far the tests are: in a terminal as its last line, which is written again and again;
// elsewhere, as in the log of a build, as a line now and then when no other was printed.
type status struct {
	screen  console.Screen
	started time.Time
	running map[string]time.Time // The packages whose tests run, with the time of their start.
	done    int                  // Packages that have ended.
	drawn   bool                 // Whether the last line of the terminal is the status.
	printed time.Time            // When the last line was printed.
}

const (
	// redrawEvery is short enough to show that the tests run.
	redrawEvery = 250 * time.Millisecond
	// quietFor is how long nothing is printed outside of a terminal.
	quietFor = 30 * time.Second
)

func newStatus(screen console.Screen) *status {
	now := time.Now()
	return &status{screen: screen, started: now, printed: now, running: map[string]time.Time{}}
}

func (s *status) every() time.Duration {
	if s.screen.Width > 0 {
		return redrawEvery
	}
	return time.Second
}

// take follows the packages.
func (s *status) take(l line) {
	if l.Package == "" || l.Test != "" {
		return
	}
	switch l.Action {
	case "start":
		s.running[l.Package] = time.Now()
	case "pass", "fail", "skip":
		if _, found := s.running[l.Package]; found {
			delete(s.running, l.Package)
			s.done++
		}
	}
}

// Write prints lines in the place of the status.
func (s *status) Write(p []byte) (int, error) {
	if s.drawn {
		s.drawn = false
		fmt.Fprint(s.screen.Out, "\r\x1b[K")
	}
	s.printed = time.Now()
	return s.screen.Out.Write(p)
}

// draw shows the status.
func (s *status) draw(r *result) {
	if s.screen.Width > 0 {
		s.drawn = true
		// One column is left free: in the last one some terminals begin a new line.
		fmt.Fprint(s.screen.Out, "\r"+s.screen.Paint(console.Dim, console.Truncate(s.text(r), s.screen.Width-1))+"\x1b[K")
		return
	}
	if time.Since(s.printed) >= quietFor {
		s.printed = time.Now()
		fmt.Fprintln(s.screen.Out, "…     "+s.text(r))
	}
}

// text is the status: those packages first that have run for longest.
func (s *status) text(r *result) string {
	now := time.Now()
	names := slices.SortedFunc(maps.Keys(s.running), func(a, b string) int {
		if c := s.running[a].Compare(s.running[b]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		short := strings.TrimPrefix(name, "github.com/orderledger/orderledger/")
		names[i] = fmt.Sprintf("%s %.0f s", short, now.Sub(s.running[name]).Seconds())
	}
	text := fmt.Sprintf("%.0f s: %s; %d packages done, %d running",
		now.Sub(s.started).Seconds(), r.counts(), s.done, len(names))
	if len(names) > 0 {
		text += ": " + strings.Join(names, ", ")
	}
	return text
}
