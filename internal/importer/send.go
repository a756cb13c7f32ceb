package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
		var silent func(time.Duration)
		if im.cfg.Silent != nil {
			silent = func(since time.Duration) { im.cfg.Silent(l.number, since) }
		}
		var a answer
		err := watch(ctx, im.url, im.answered.Load, silent, func(ctx context.Context) (err error) {
			a, err = im.post(ctx, l.body)
			return err
		})
		if err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("line %d: %w", l.number, ctx.Err()) // The end broke the request off: this is no fault.
			}
			if fault := (*FaultError)(nil); errors.As(err, &fault) {
				return fmt.Errorf("line %d: %w", l.number, fault)
			}
			if fault := connectionFault(im.url, err, im.answered.Load()); fault != nil {
				return fmt.Errorf("line %d: %w", l.number, fault)
			}
		} else {
			im.answered.Store(true)
			if fault := answerFault(im.url, a); fault != nil {
				return fmt.Errorf("line %d: %w", l.number, fault)
			}
			switch {
			case a.accepted:
				im.accepted.Add(1)
				im.done(len(l.body))
				return nil
			case !again(a.status):
				im.refuse(Refusal{Line: l.number, Status: a.status, Reason: a.reason}, len(l.body))
				return nil
			}
			err = fmt.Errorf("status %d: %s", a.status, a.reason)
		}
		im.retries.Add(1)
		if im.cfg.Retrying != nil {
			im.cfg.Retrying(l.number, err)
		}
		timer := time.NewTimer(max(wait, a.after))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("line %d: %w; last: %w", l.number, ctx.Err(), err)
		}
		wait = min(2*wait, maxWait)
	}
}

// answer is what a service answered to a line.
type answer struct {
	status   int
	accepted bool   // 200, with the key that the ledger gave the notification.
	problem  string // The type of the problem document, if it is one.
	reason   string
	location string        // Where the answer redirects to.
	after    time.Duration // Its Retry-After, bounded: a wrong header must not stop the import for hours.
}

// post sends one request.
func (im *run) post(ctx context.Context, body []byte) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, im.url, bytes.NewReader(body))
	if err != nil {
		return a, err
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
		return a, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return a, err
	}
	var accepted struct{ Key string }
	a = answerOf(resp, text)
	a.accepted = a.status == http.StatusOK && json.Unmarshal(text, &accepted) == nil && accepted.Key != ""
	return a, nil
}

// answerOf reads everything of an answer but whether it is the right one.
func answerOf(resp *http.Response, text []byte) answer {
	var document struct{ Type string }
	_ = json.Unmarshal(text, &document) // Any other text has no type.
	a := answer{status: resp.StatusCode, problem: document.Type, reason: detail(text)}
	if a.status >= 300 && a.status < 400 {
		a.location = resp.Header.Get("Location")
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		a.after = min(time.Duration(seconds)*time.Second, 30*time.Second)
	}
	return a
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
