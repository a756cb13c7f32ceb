package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// MaxLineBytes is the longest line that is sent. It is above the limit of an ingest service, so that normally the
// service refuses and its reason is reported.
const MaxLineBytes = 16 << 20

// Config configures an import.
type Config struct {
	// URL is the base URL of the ingest service, such as http://127.0.0.1:8080.
	URL string
	// Token is the notification token that proves the lines. Empty sends none, which only a service whose intake is open
	// accepts.
	Token string
	// History marks the shipments that the file creates as history: they were finished elsewhere, and nobody should act
	// upon them. Shipments that exist stay what they are.
	History bool
	// Concurrency is the number of lines in flight. Zero means 64.
	Concurrency int
	// CorrelationID is sent with every line, so that the decisions about them can be found by it. Empty sends none.
	CorrelationID string
	// RetryFor bounds how long one line is retried. Zero means until the context ends.
	RetryFor time.Duration
	// Client sends the requests. Nil means that the importer makes its own.
	Client *http.Client
	// Progress is called after the final response to each line. It must be quick and safe to call concurrently. It may be
	// nil.
	Progress func(bytes int64)
	// Retrying is called before each retry. It may be nil.
	Retrying func(line int, err error)
	// Silent is called every three seconds while a line has no answer, with the time since it was sent. It must be safe to
	// call concurrently. It may be nil.
	Silent func(line int, since time.Duration)
}

// Refusal is a line that the service has refused permanently.
type Refusal struct {
	Line   int
	Status int
	Reason string
}

// Result summarizes an import.
type Result struct {
	// Lines is the number of lines that are not blank. Accepted is the number of those that got a 200.
	Lines, Accepted int
	Refused         []Refusal
	// Retries is the number of failed requests that were retried.
	Retries int
	Elapsed time.Duration
}

// Validate reports what is wrong with the URL.
func (c Config) Validate() error { return CheckURL(c.URL) }

// CheckURL returns what is wrong with the URL of a service, to which paths are appended.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return fmt.Errorf("%q is not a URL of a service, such as http://127.0.0.1:8080", text)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q: want http:// or https://, not %s://", text, u.Scheme)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%q: want neither a query nor a fragment: a path is appended to the URL", text)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%q: port %s is not between 1 and 65535", text, port)
		}
	}
	return nil
}

// Import sends the lines of r, which may be compressed with gzip. It returns an error if the context ends, if the file
// can't be read, or a *FaultError if no line can succeed; the result then counts the lines before that. It returns at
// the end of the context even if r blocks: the caller must not read from r afterwards.
func Import(ctx context.Context, cfg Config, r io.Reader) (Result, error) {
	if err := cfg.Validate(); err != nil {
		return Result{}, err
	}
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = 64
	}
	if cfg.Client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // It is one.
		transport.MaxIdleConnsPerHost = cfg.Concurrency
		transport.MaxIdleConns = cfg.Concurrency
		defer transport.CloseIdleConnections()
		cfg.Client = &http.Client{Transport: transport, Timeout: time.Minute, CheckRedirect: noRedirect}
	}
	im := &run{cfg: cfg, url: strings.TrimRight(cfg.URL, "/") + "/notifications"}
	started := time.Now()
	err := im.run(ctx, r)
	return Result{
		Lines: int(im.lines.Load()), Accepted: int(im.accepted.Load()), Refused: im.refusals(),
		Retries: int(im.retries.Load()), Elapsed: time.Since(started),
	}, err
}

// noRedirect makes a redirection the answer: Go would follow it with a GET, whose 200 says nothing about the line.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// run is one import.
type run struct {
	cfg      Config
	url      string
	lines    atomic.Int64
	accepted atomic.Int64
	retries  atomic.Int64
	answered atomic.Bool // The service has answered a request.

	mu      sync.Mutex // Protects refused.
	refused []Refusal
}

type line struct {
	number int
	body   []byte
}

// run passes each line to the worker of its shipment. A worker has one line in flight, which keeps the order within a
// shipment even across retries.
func (im *run) run(ctx context.Context, r io.Reader) error {
	group, ctx := errgroup.WithContext(ctx)
	queues := make([]chan line, im.cfg.Concurrency)
	for i := range queues {
		queues[i] = make(chan line, 16)
		group.Go(func() error { return im.work(ctx, queues[i]) })
	}
	// The goroutine that reads is not part of the group: a terminal or a pipe may block it forever, and nothing can
	// interrupt that.
	read := make(chan error, 1)
	go func() { read <- im.read(ctx, r, queues) }()
	group.Go(func() error {
		select {
		case err := <-read:
			for _, q := range queues {
				close(q)
			}
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return group.Wait()
}

// work sends the lines of a queue, until the queue is closed.
func (im *run) work(ctx context.Context, queue <-chan line) error {
	for {
		select {
		case l, more := <-queue:
			if !more {
				return nil
			}
			if err := im.send(ctx, l); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// read distributes the lines of a file.
func (im *run) read(ctx context.Context, r io.Reader, queues []chan line) error {
	lines, err := open(ctx, r)
	if err != nil {
		return err
	}
	seed, order := maphash.MakeSeed(), order{shipments: map[sellerReturn]string{}}
	for number := 1; ; number++ {
		body, err := readLine(lines)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errTooLong):
			im.lines.Add(1)
			im.refuse(Refusal{Line: number, Reason: err.Error()}, MaxLineBytes)
			continue
		case err != nil:
			return fmt.Errorf("read line %d: %w", number, err)
		case len(body) == 0:
			continue
		}
		im.lines.Add(1)
		select {
		case queues[maphash.String(seed, order.key(body))%uint64(len(queues))] <- line{number, body}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (im *run) refuse(r Refusal, size int) {
	im.mu.Lock()
	im.refused = append(im.refused, r)
	im.mu.Unlock()
	im.done(size)
}

// refusals returns the refused lines in the order of the file.
func (im *run) refusals() []Refusal {
	im.mu.Lock()
	defer im.mu.Unlock()
	return slices.SortedFunc(slices.Values(im.refused), func(a, b Refusal) int { return cmp.Compare(a.Line, b.Line) })
}

func (im *run) done(size int) {
	if im.cfg.Progress != nil {
		im.cfg.Progress(int64(size))
	}
}
