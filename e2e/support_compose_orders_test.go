package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/demo"
	"github.com/orderledger/orderledger/internal/importer"
)

// orders are the notifications to import, and a check of what the tables and the receiver must then show.
type orders struct {
	lines []string
	check func(c *composed)
}

// someOrders returns the real histories if there are any, and invented ones otherwise.
func someOrders(t testing.TB) orders {
	t.Helper()
	var o orders
	dir := os.Getenv("ORDERLEDGER_TEST_OLIST")
	if dir == "" {
		for _, n := range demo.Histories(7, 600, time.Now()) {
			o.lines = append(o.lines, string(n.Body))
		}
		o.check = func(c *composed) {
			require.Equal(t, 600, count(t, c.sql(), "SELECT count() FROM orderledger.shipments"))
			require.Equal(t, 600, c.received().EventTypes["SUBORDER_CREATE"])
		}
		return o
	}
	file, err := os.Open(filepath.Join(dir, "notifications.ndjson.gz"))
	require.NoError(t, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, importer.MaxLineBytes)
	for lines.Scan() {
		o.lines = append(o.lines, lines.Text())
	}
	require.NoError(t, lines.Err())
	o.check = func(c *composed) {
		requireFigures(t, c.sql(), dir)
		s := c.received()
		require.Equal(t, olistPushes, s.EventTypes)
		require.Equal(t, 7433+6424+468, s.Messages)
	}
	return o
}

// part returns part i of n of the lines, in the order of the file.
func (o orders) part(i, n int) []byte {
	return []byte(strings.Join(o.lines[i*len(o.lines)/n:(i+1)*len(o.lines)/n], "\n"))
}

// requireFigures compares tables, ledger and receiver with the orders once everything has caught up.
func (o orders) requireFigures(c *composed) {
	c.t.Helper()
	require.NoError(c.t, importer.Wait(c.t.Context(), c.url, nil))
	o.check(c)
	requireTablesEqualLedger(c.t, c.stack)
	applied := count(c.t, c.sql(), "SELECT uniqExact(input_key) FROM orderledger.decisions WHERE outcome IN ('applied', 'stale', 'duplicate')")
	require.Equal(c.t, count(c.t, c.sql(), "SELECT uniqExact(input_key) FROM orderledger.decisions"), applied, "every input has a final decision")
}

// sending is an import in progress.
type sending struct {
	t    testing.TB
	half chan struct{} // Closed when half of the lines are imported.
	end  chan error
	importer.Result
}

// send imports lines in the background.
func (c *composed) send(client *http.Client, lines []byte) *sending {
	s := &sending{t: c.t, half: make(chan struct{}), end: make(chan error, 1)}
	half := int64(bytes.Count(lines, []byte("\n"))+1) / 2
	var done atomic.Int64
	cfg := importer.Config{URL: c.url, Client: client, Progress: func(int64) {
		if done.Add(1) == half {
			close(s.half)
		}
	}}
	go func() {
		var err error
		s.Result, err = importer.Import(c.t.Context(), cfg, bytes.NewReader(lines))
		s.end <- err
	}()
	return s
}

func (s *sending) awaitHalf() {
	s.t.Helper()
	select {
	case <-s.half:
	case <-time.After(composeLimit):
		require.Fail(s.t, "the import makes no progress")
	}
}

// await waits until every line is accepted.
func (s *sending) await() {
	s.t.Helper()
	select {
	case err := <-s.end:
		require.NoError(s.t, err)
	case <-time.After(composeLimit):
		require.Fail(s.t, "the import does not end")
	}
	require.Empty(s.t, s.Refused)
	require.Equal(s.t, s.Lines, s.Accepted)
	s.t.Logf("%d lines in %s, %d retries", s.Lines, s.Elapsed, s.Retries)
}
