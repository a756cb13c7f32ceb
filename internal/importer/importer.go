package importer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
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

// Import sends the lines of r, which may be compressed with gzip. It returns an error if the context ends or the file
// can't be read; the result then counts the lines before that.
func Import(ctx context.Context, cfg Config, r io.Reader) (Result, error) {
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = 64
	}
	if cfg.Client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // It is one.
		transport.MaxIdleConnsPerHost = cfg.Concurrency
		transport.MaxIdleConns = cfg.Concurrency
		defer transport.CloseIdleConnections()
		cfg.Client = &http.Client{Transport: transport, Timeout: time.Minute}
	}
	lines, err := open(r)
	if err != nil {
		return Result{}, err
	}
	im := &run{cfg: cfg, url: strings.TrimRight(cfg.URL, "/") + "/notifications"}
	started := time.Now()
	err = im.run(ctx, lines)
	im.result.Accepted = int(im.accepted.Load())
	im.result.Retries = int(im.retries.Load())
	im.result.Elapsed = time.Since(started)
	return im.result, err
}

// open decompresses r if it begins with gzip's magic number.
func open(r io.Reader) (*bufio.Reader, error) {
	buffered := bufio.NewReaderSize(r, 1<<20)
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("open gzip: %w", err)
		}
		buffered = bufio.NewReaderSize(unzipped, 1<<20)
	}
	return buffered, nil
}

// run is one import.
type run struct {
	cfg      Config
	url      string
	accepted atomic.Int64
	retries  atomic.Int64

	mu     sync.Mutex // Protects result.Refused.
	result Result
}

type line struct {
	number int
	body   []byte
}

// run passes each line to the worker of its shipment. A worker has one line in flight, which keeps the order within a
// shipment even across retries.
func (im *run) run(ctx context.Context, r *bufio.Reader) error {
	group, ctx := errgroup.WithContext(ctx)
	queues := make([]chan line, im.cfg.Concurrency)
	for i := range queues {
		queues[i] = make(chan line, 16)
		group.Go(func() error {
			for l := range queues[i] {
				if err := im.send(ctx, l); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer func() {
			for _, q := range queues {
				close(q)
			}
		}()
		seed, order := maphash.MakeSeed(), order{shipments: map[sellerReturn]string{}}
		for number := 1; ; number++ {
			body, err := readLine(r)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if errors.Is(err, errTooLong) {
				im.result.Lines++
				im.refuse(Refusal{Line: number, Reason: err.Error()}, MaxLineBytes)
				continue
			}
			if err != nil {
				return fmt.Errorf("read line %d: %w", number, err)
			}
			if len(bytes.TrimSpace(body)) == 0 {
				continue
			}
			im.result.Lines++
			select {
			case queues[maphash.String(seed, order.key(body))%uint64(len(queues))] <- line{number, body}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return group.Wait()
}

var errTooLong = fmt.Errorf("the line is longer than %d bytes", MaxLineBytes)

// readLine returns a copy of the next line, without its line end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var body []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(body)+len(part) > MaxLineBytes {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = r.ReadSlice('\n')
			}
			return nil, errTooLong
		}
		body = append(body, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || len(body) == 0):
			return nil, err
		}
		return bytes.TrimRight(body, "\r\n"), nil
	}
}

// order remembers which shipment a return belongs to: most lines of a return name only the return, and must keep their
// order among the lines of the shipment. Two sellers may have returns of one id.
type order struct {
	shipments map[sellerReturn]string
}

type sellerReturn struct{ sellerID, returnID string }

// key returns the id within which a line keeps its order: its shipment, else its return. A malformed line has none; the
// service refuses it wherever it arrives.
func (o *order) key(body []byte) string {
	var ids struct {
		ShipmentID, ReturnID, SellerID string
		Attributes                     json.RawMessage
	}
	if err := json.Unmarshal(body, &ids); err != nil {
		return ""
	}
	if ids.ShipmentID != "" || ids.ReturnID == "" {
		return ids.ShipmentID
	}
	id := sellerReturn{ids.SellerID, ids.ReturnID}
	if known, ok := o.shipments[id]; ok {
		return known
	}
	var attributes struct{ ReturnItems []struct{ ShipmentID string } }
	if err := json.Unmarshal(ids.Attributes, &attributes); err == nil {
		for _, item := range attributes.ReturnItems {
			if item.ShipmentID != "" {
				o.shipments[id] = item.ShipmentID
				return item.ShipmentID
			}
		}
	}
	return ids.ReturnID
}

func (im *run) refuse(r Refusal, size int) {
	im.mu.Lock()
	im.result.Refused = append(im.result.Refused, r)
	im.mu.Unlock()
	im.done(size)
}

func (im *run) done(size int) {
	if im.cfg.Progress != nil {
		im.cfg.Progress(int64(size))
	}
}
