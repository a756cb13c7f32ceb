package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Progress is the answer of GET /progress: how far each part of the ledger is behind.
type Progress struct {
	// CaughtUp means that every input is decided, every table complete and every webhook message delivered.
	CaughtUp bool `json:"caughtUp"`
	// Behind is the number of records that each part has yet to process.
	Behind map[string]int64 `json:"behind"`
}

// String names the parts that are behind.
func (p Progress) String() string {
	if p.CaughtUp {
		return "caught up"
	}
	parts := make([]string, 0, len(p.Behind))
	for _, name := range []string{"inbox", "resolver", "projector", "translate", "endpoints"} {
		if n := p.Behind[name]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d behind", name, n))
		}
	}
	return "waiting: " + strings.Join(parts, ", ")
}

// Wait returns when the service reports that every part has caught up. It retries failed requests until the context
// ends.
func Wait(ctx context.Context, url string, progress func(Progress)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		p, err := ask(ctx, strings.TrimRight(url, "/")+"/progress")
		if err == nil {
			if progress != nil {
				progress(p)
			}
			if p.CaughtUp {
				return nil
			}
		} else if ctx.Err() == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if last != nil {
				return fmt.Errorf("%w; last: %w", ctx.Err(), last)
			}
			return ctx.Err()
		}
	}
}

func ask(ctx context.Context, url string) (Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return Progress{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Progress{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return Progress{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return Progress{}, fmt.Errorf("GET %s: %s: %s", url, resp.Status, detail(body))
	}
	var p Progress
	if err := json.Unmarshal(body, &p); err != nil {
		return Progress{}, fmt.Errorf("GET %s: %w", url, err)
	}
	return p, nil
}
