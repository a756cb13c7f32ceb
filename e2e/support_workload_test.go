package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/demo"
	"github.com/orderledger/orderledger/internal/importer"
)

// workload is the outside world: a marketplace that sends notifications and sellers who call, through any of the
// instances, again and again until they are answered.
type workload struct {
	t      testing.TB
	urls   []string
	seed   uint64
	record *record
	client *http.Client

	pace  *time.Ticker  // Limits the rate of notifications.
	ended chan struct{} // Closed when nothing new may begin.
	all   sync.WaitGroup
	calls atomic.Uint64
}

// newWorkload starts the workload. It ends with finish, or with the test.
func newWorkload(t testing.TB, urls []string, seed uint64, perSecond int) *workload {
	t.Helper()
	w := &workload{
		t: t, urls: urls, seed: seed, record: newRecord(), pace: time.NewTicker(time.Second / time.Duration(perSecond)),
		ended: make(chan struct{}),
		// A short timeout: a request that hangs is repeated at another instance.
		client: &http.Client{
			Timeout:   12 * time.Second,
			Transport: &http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute},
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		cancel()
		w.all.Wait()
		w.client.CloseIdleConnections()
	})
	notes := make(chan []byte)
	w.all.Go(func() { w.marketplace(ctx, notes) })
	for range 4 {
		w.all.Go(func() {
			for body := range notes {
				w.notify(ctx, body)
			}
		})
	}
	for n := range 3 {
		w.all.Go(func() { w.seller(ctx, n) })
	}
	return w
}

// finish begins nothing new and waits until everything that has begun is answered.
func (w *workload) finish(limit time.Duration) *record {
	w.t.Helper()
	close(w.ended)
	done := make(chan struct{})
	go func() {
		w.all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(limit):
		require.Fail(w.t, "some calls had no answer within "+limit.String())
	}
	w.pace.Stop()
	return w.record
}

// over reports whether the workload may begin nothing new.
func (w *workload) over() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// marketplace hands out notifications until the workload is over, one in thirty of them twice.
func (w *workload) marketplace(ctx context.Context, notes chan<- []byte) {
	defer close(notes)
	random := rand.New(rand.NewPCG(w.seed, 77))
	var again [][]byte
	for round := uint64(0); ; round++ {
		histories := demo.Histories(w.seed+round*1_000_003, 25, time.Now())
		w.recordEndings(histories)
		for _, n := range histories {
			bodies := [][]byte{n.Body}
			if random.IntN(30) == 0 {
				again = append(again, n.Body)
			}
			if len(again) > 0 && random.IntN(30) == 0 {
				bodies = append(bodies, again[0])
				again = again[1:]
			}
			for _, body := range bodies {
				// A history that has begun is sent to its end, because the record has its ending.
				select {
				case <-w.pace.C:
				case <-ctx.Done():
					return
				}
				select {
				case notes <- body:
				case <-ctx.Done():
					return
				}
			}
		}
		if w.over() {
			return
		}
	}
}

// notify sends a notification until it is accepted.
func (w *workload) notify(ctx context.Context, body []byte) {
	var answer struct {
		Key         string
		Lane        int32
		InboxOffset int64
		Unresolved  bool
	}
	got, ok := w.post(ctx, "/notifications", "", body)
	if !ok {
		return
	}
	if err := json.Unmarshal(got.text, &answer); err != nil {
		w.record.addViolation("answer to a notification: %v: %s", err, got.text)
		return
	}
	w.record.addNotification(acceptedNotification{
		key: answer.Key, lane: answer.Lane, inboxOffset: answer.InboxOffset, unresolved: answer.Unresolved,
	})
}

// posted is an answer with status 200.
type posted struct {
	text        []byte
	position    map[int32]int64
	mayBeStored bool // An earlier try of the request may have been executed.
}

// post sends a request to one instance after the other until one answers 200. Nothing that is sent here may be refused:
// a refusal is recorded as a violation.
func (w *workload) post(ctx context.Context, path, key string, body []byte) (got posted, ok bool) {
	at := int(w.calls.Add(1))
	wait := 20 * time.Millisecond
	for try := 0; ; try++ {
		status, text, header, err := w.send(ctx, w.urls[(at+try)%len(w.urls)]+path, key, body)
		switch {
		case err == nil && status == http.StatusOK:
			position, err := readPosition(header)
			if err != nil {
				w.record.addViolation("%s: %v", path, err)
			}
			got.text, got.position = text, position
			return got, true
		case err == nil && status < 500 && status != http.StatusTooManyRequests:
			w.record.addViolation("%s was refused with %d: %s", path, status, text)
			return got, false
		}
		// Of the errors of a call, only these two say that nothing is stored.
		certain := err == nil && (status == http.StatusTooManyRequests ||
			status == http.StatusServiceUnavailable && bytes.Contains(text, []byte(codeNotStored)))
		got.mayBeStored = got.mayBeStored || !certain
		w.record.unanswered.Add(1)
		if !after(ctx, wait) {
			return got, false
		}
		wait = min(2*wait, 500*time.Millisecond)
	}
}

func (w *workload) send(
	ctx context.Context, url, key string, body []byte,
) (status int, text []byte, position string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("Authorization", "Bearer "+demo.OwnToken)
	} else {
		req.Header.Set("Authorization", "Bearer "+notificationToken)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, text, resp.Header.Get("Ledger-Position"), err
}

// readPosition parses lane:offset,lane:offset.
func readPosition(header string) (map[int32]int64, error) {
	if header == "" {
		return nil, nil
	}
	out := map[int32]int64{}
	for part := range strings.SplitSeq(header, ",") {
		lane, offset, _ := strings.Cut(part, ":")
		w, err1 := strconv.ParseInt(lane, 10, 32)
		o, err2 := strconv.ParseInt(offset, 10, 64)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("Ledger-Position %q", header)
		}
		out[int32(w)] = o
	}
	return out, nil
}

// awaitCaughtUp returns when every instance reports that all parts have caught up.
func awaitCaughtUp(ctx context.Context, urls []string) error {
	for _, url := range urls {
		var last importer.Progress
		operator := importer.Operator{URL: url, Token: operatorToken}
		if err := operator.Wait(ctx, func(p importer.Progress) { last = p }); err != nil {
			return fmt.Errorf("%s: %s: %w", url, last, err)
		}
	}
	return nil
}
