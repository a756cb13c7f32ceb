package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/orderledger/orderledger/internal/console"
)

// progressEvery is the time between two lines of progress where there is no terminal.
const progressEvery = 10 * time.Second

// progress shows how far long work has come: a bar in a terminal, otherwise a line now and then, so that the log of a
// job shows that it is alive without filling up.
type progress struct {
	bar *progressbar.ProgressBar // Nil without a terminal.
	out io.Writer
	now func() time.Time

	mu    sync.Mutex
	size  int64 // Of the input in bytes, or -1.
	read  int64
	text  string
	shown time.Time
}

// newProgress returns the progress of an input of a known size, or of -1.
func newProgress(out io.Writer, size int64, now func() time.Time) *progress {
	p := &progress{out: out, now: now, size: size, shown: now()}
	if console.IsTerminal(out) {
		p.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(out), progressbar.OptionShowBytes(true),
			progressbar.OptionSetDescription("importing"), progressbar.OptionThrottle(200*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	return p
}

// advance says how many bytes of the input have been read.
func (p *progress) advance(read int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read = read
	if p.bar != nil {
		if p.text != "" {
			p.bar.Describe("importing")
		}
		_ = p.bar.Set64(read)
	}
	p.text = ""
	p.print("")
}

// wait says what the work waits for. Where there is no terminal the first one shows at once: it may be why nothing
// happens.
func (p *progress) wait(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Describe(text)
		_ = p.bar.RenderBlank()
	}
	if p.text == "" && p.read == 0 {
		p.shown = time.Time{}
	}
	p.text = text
	p.print(text)
}

// print writes a line if there is no terminal and the last one is old.
func (p *progress) print(text string) {
	now := p.now()
	if p.bar != nil || now.Sub(p.shown) < progressEvery {
		return
	}
	p.shown = now
	done := fmt.Sprintf("%.1f MB read", float64(p.read)/1e6)
	if p.size > 0 {
		done = fmt.Sprintf("%d %% of %.1f MB read", 100*p.read/p.size, float64(p.size)/1e6)
	}
	if text != "" {
		done += "; " + text
	}
	fmt.Fprintln(p.out, "importing: "+done)
}

// clear removes the bar.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
