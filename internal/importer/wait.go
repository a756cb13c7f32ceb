package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// Operator asks a service about the ledger as a whole.
type Operator struct {
	// URL is the base URL of the service, or of its admin server, which asks for no token.
	URL string
	// Token is the operator's token. Empty sends none, which only a service whose intake is open accepts.
	Token string
}

// ErrToken says that the service asks for an operator's token, or for another one.
var ErrToken = errors.New("the service asks for its operator's token")

// Progress reports how far the ledger has come.
func (o Operator) Progress(ctx context.Context) (p Progress, err error) {
	err = o.get(ctx, "/progress", &p)
	return p, err
}

// Summary counts the inputs of a correlation id by outcome and by reason.
func (o Operator) Summary(ctx context.Context, correlationID string) (outcomes, reasons map[string]int, err error) {
	var answer struct{ Outcomes, Reasons map[string]int }
	err = o.get(ctx, "/decisions/summary?correlation_id="+url.QueryEscape(correlationID), &answer)
	return answer.Outcomes, answer.Reasons, err
}

// Wait is Operator.Wait without a token.
func Wait(ctx context.Context, url string, progress func(Progress)) error {
	return Operator{URL: url}.Wait(ctx, progress)
}

// Wait returns when the service reports that every part has caught up. It retries failed requests until the context
// ends, except those that a repeat does not improve: it returns ErrToken for one without the right token, and a
// *FaultError for one to an address that is not a ledger's.
func (o Operator) Wait(ctx context.Context, progress func(Progress)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		p, err := o.Progress(ctx)
		var fault *FaultError
		switch {
		case errors.Is(err, ErrToken):
			return err
		case errors.As(err, &fault) && !fault.unknownName(): // Name servers forget a container while it restarts.
			return err
		case err == nil:
			if progress != nil {
				progress(p)
			}
			if p.CaughtUp {
				return nil
			}
		case ctx.Err() == nil:
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

// get reads a JSON document.
func (o Operator) get(ctx context.Context, path string, to any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	target := strings.TrimRight(o.URL, "/") + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return err
	}
	if o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+o.Token)
	}
	var a answer
	var body []byte
	never := func() bool { return false }
	err = watch(ctx, target, never, nil, func(ctx context.Context) error {
		resp, err := (&http.Client{CheckRedirect: noRedirect}).Do(req.WithContext(ctx))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20)); err == nil {
			a = answerOf(resp, body)
		}
		return err
	})
	if err != nil {
		if fault := (*FaultError)(nil); errors.As(err, &fault) {
			return fault
		}
		if fault := connectionFault(target, err, false); fault != nil {
			return fault
		}
		return err
	}
	a.accepted = a.status == http.StatusOK && json.Unmarshal(body, to) == nil
	if a.status == http.StatusUnauthorized {
		return fmt.Errorf("GET %s: %w: %s", target, ErrToken, a.reason)
	}
	if fault := answerFault(target, a); fault != nil {
		return fault
	}
	if !a.accepted {
		return fmt.Errorf("GET %s: %d %s: %s", target, a.status, http.StatusText(a.status), a.reason)
	}
	return nil
}
