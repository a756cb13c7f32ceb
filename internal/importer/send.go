package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Waits between the attempts of one line. The longest is short, because the lines of the shipment queue behind it.
const (
	firstWait = 50 * time.Millisecond
	maxWait   = 2 * time.Second
)

// send posts a line until its response is final. It returns an error if the context ends before.
func (im *run) send(ctx context.Context, l line) error {
	if im.cfg.RetryFor > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, im.cfg.RetryFor)
		defer cancel()
	}
	wait := firstWait
	for {
		status, reason, after, err := im.post(ctx, l.body)
		switch {
		case err == nil && status == http.StatusOK:
			im.accepted.Add(1)
			im.done(len(l.body))
			return nil
		case err == nil && permanent(status):
			im.refuse(Refusal{Line: l.number, Status: status, Reason: reason}, len(l.body))
			return nil
		case err == nil:
			err = fmt.Errorf("status %d: %s", status, reason)
		}
		im.retries.Add(1)
		if im.cfg.Retrying != nil {
			im.cfg.Retrying(l.number, err)
		}
		timer := time.NewTimer(max(wait, after))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("line %d: %w; last: %w", l.number, ctx.Err(), err)
		}
		wait = min(2*wait, maxWait)
	}
}

// permanent reports whether a repeated request would get the same status again.
func permanent(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout
}

// post sends one request. after is the Retry-After of the response, which the importer bounds: a wrong header must not
// stop it for hours.
func (im *run) post(ctx context.Context, body []byte) (status int, reason string, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, im.url, bytes.NewReader(body))
	if err != nil {
		return 0, "", 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if im.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+im.cfg.Token)
	}
	if im.cfg.History {
		req.Header.Set("Ledger-History", "true")
	}
	if im.cfg.CorrelationID != "" {
		req.Header.Set("X-Correlation-ID", im.cfg.CorrelationID)
	}
	resp, err := im.cfg.Client.Do(req)
	if err != nil {
		return 0, "", 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, "", 0, err
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		after = min(time.Duration(seconds)*time.Second, 30*time.Second)
	}
	return resp.StatusCode, detail(text), after, nil
}

// detail returns the sentence of a problem document, or the beginning of any other body: a proxy in between answers in
// its own format.
func detail(text []byte) string {
	var problem struct{ Title, Detail string }
	if json.Unmarshal(text, &problem) == nil {
		switch {
		case problem.Detail != "":
			return problem.Detail
		case problem.Title != "":
			return problem.Title
		}
	}
	return string(bytes.TrimSpace(text[:min(len(text), 200)]))
}
