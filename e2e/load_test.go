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

// told is a notification that was answered with 200: the ledger has promised to decide it.
type told struct {
	key         string // As the answer names it.
	lane        int32
	inboxOffset int64
	unresolved  bool // It names only a return; its way into the inbox is longer.
}

// obeyed is one answer to a seller's call for one shipment. A call that is repeated under its key has several, which
// must be the same.
type obeyed struct {
	key, shipment string
	ok            bool
	code          string
	position      map[int32]int64 // Of the whole call.
}

// record is what clients wrote down of what they were promised. It is kept outside of the ledger, which is measured by
// it.
type record struct {
	mu     sync.Mutex
	told   []told
	obeyed []obeyed
	tried  map[string]bool   // Keys of calls, as the ledger writes them, that were ever sent.
	ends   map[string]ending // By shipment: how it must end, where its teller knows.
	fails  atomic.Int64      // Calls that got no answer and were repeated.
	wrong  []string          // Answers that may not be.
}

// ending is how a shipment must end.
type ending struct {
	status    string
	cancelled uint32 // Units.
}

func newRecord() *record {
	return &record{tried: map[string]bool{}, ends: map[string]ending{}}
}

func (r *record) add(n told) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, n)
}

func (r *record) answered(os ...obeyed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.obeyed = append(r.obeyed, os...)
}

func (r *record) trying(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried["seller/"+demo.OwnSeller+"/"+key] = true
}

func (r *record) expect(shipment string, e ending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends[shipment] = e
}

func (r *record) protest(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// size returns how many notifications and answers there are.
func (r *record) size() (notifications, answers int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.told), len(r.obeyed)
}

// load is the outside world: a marketplace that tells, and sellers who call, through any of the instances, again and
// again until they are answered.
type load struct {
	t      testing.TB
	urls   []string
	seed   uint64
	record *record
	client *http.Client

	pace  *time.Ticker  // Bounds the marketplace.
	ended chan struct{} // Closed when no more may be begun.
	all   sync.WaitGroup
	calls atomic.Uint64
}

// newLoad starts the world. It ends with finish, or with the test.
func newLoad(t testing.TB, urls []string, seed uint64, perSecond int) *load {
	t.Helper()
	l := &load{
		t: t, urls: urls, seed: seed, record: newRecord(), pace: time.NewTicker(time.Second / time.Duration(perSecond)),
		ended: make(chan struct{}),
		// A short time for each try: what hangs is tried elsewhere.
		client: &http.Client{Timeout: 12 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		cancel()
		l.all.Wait()
		l.client.CloseIdleConnections()
	})
	notes := make(chan []byte)
	l.all.Go(func() { l.marketplace(ctx, notes) })
	for range 4 {
		l.all.Go(func() {
			for body := range notes {
				l.tell(ctx, body)
			}
		})
	}
	for n := range 3 {
		l.all.Go(func() { l.seller(ctx, n) })
	}
	return l
}

// finish begins nothing more and waits until everything that was begun has been answered.
func (l *load) finish(limit time.Duration) *record {
	l.t.Helper()
	close(l.ended)
	done := make(chan struct{})
	go func() {
		l.all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(limit):
		require.Fail(l.t, "calls are not answered within "+limit.String())
	}
	l.pace.Stop()
	return l.record
}

func (l *load) over() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// marketplace hands out notifications until the load is over, one in thirty of them again later on.
func (l *load) marketplace(ctx context.Context, notes chan<- []byte) {
	defer close(notes)
	random := rand.New(rand.NewPCG(l.seed, 77))
	var again [][]byte
	for round := uint64(0); ; round++ {
		histories := demo.Histories(l.seed+round*1_000_003, 25, time.Now())
		l.expectations(histories)
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
				// A history that was begun is told to its end: how it ends is known.
				select {
				case <-l.pace.C:
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
		if l.over() {
			return
		}
	}
}

// tell sends a notification until it is taken.
func (l *load) tell(ctx context.Context, body []byte) {
	var answer struct {
		Key         string
		Lane        int32
		InboxOffset int64
		Unresolved  bool
	}
	text, _, ok := l.post(ctx, "/notifications", "", body)
	if !ok {
		return
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		l.record.protest("answer to a notification: %v: %s", err, text)
		return
	}
	l.record.add(told{
		key: answer.Key, lane: answer.Lane, inboxOffset: answer.InboxOffset, unresolved: answer.Unresolved,
	})
}

// post sends a request to one instance after the other until one answers 200. A refusal is written down as wrong:
// nothing that is sent here may be refused.
func (l *load) post(ctx context.Context, path, key string, body []byte) (answer []byte, position map[int32]int64, ok bool) {
	at := int(l.calls.Add(1))
	wait := 20 * time.Millisecond
	for try := 0; ; try++ {
		status, text, header, err := l.send(ctx, l.urls[(at+try)%len(l.urls)]+path, key, body)
		switch {
		case err == nil && status == http.StatusOK:
			position, err := readPosition(header)
			if err != nil {
				l.record.protest("%s: %v", path, err)
			}
			return text, position, true
		case err == nil && status < 500 && status != http.StatusTooManyRequests:
			l.record.protest("%s was refused with %d: %s", path, status, text)
			return nil, nil, false
		}
		l.record.fails.Add(1)
		if !after(ctx, wait) {
			return nil, nil, false
		}
		wait = min(2*wait, 500*time.Millisecond)
	}
}

func (l *load) send(ctx context.Context, url, key string, body []byte) (status int, text []byte, position string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("Authorization", "Bearer "+demo.OwnToken)
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, text, resp.Header.Get("Ledger-Position"), err
}

// readPosition reads lane:offset,lane:offset.
func readPosition(header string) (map[int32]int64, error) {
	if header == "" {
		return nil, nil
	}
	out := map[int32]int64{}
	for part := range strings.SplitSeq(header, ",") {
		lane, offset, _ := strings.Cut(part, ":")
		l, err1 := strconv.ParseInt(lane, 10, 32)
		o, err2 := strconv.ParseInt(offset, 10, 64)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("Ledger-Position %q", header)
		}
		out[int32(l)] = o
	}
	return out, nil
}

// awaitCaughtUp returns when every instance says that all parts have caught up.
func awaitCaughtUp(ctx context.Context, urls []string) error {
	for _, url := range urls {
		var last importer.Progress
		if err := importer.Wait(ctx, url, func(p importer.Progress) { last = p }); err != nil {
			return fmt.Errorf("%s: %s: %w", url, last, err)
		}
	}
	return nil
}
