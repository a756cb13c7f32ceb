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

// orders are the notifications to send, and what the tables and the receiver must show of them.
type orders struct {
	lines []string
	check func(c *composed)
}

// someOrders are the real histories where they are there, else invented ones.
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

// part is one of n parts of the lines, in the order of the file.
func (o orders) part(i, n int) []byte {
	return []byte(strings.Join(o.lines[i*len(o.lines)/n:(i+1)*len(o.lines)/n], "\n"))
}

// requireAsTold compares tables, ledger and receiver with the orders once everything has caught up.
func (o orders) requireAsTold(c *composed) {
	c.t.Helper()
	require.NoError(c.t, importer.Wait(c.t.Context(), c.url, nil))
	o.check(c)
	requireTablesEqualLedger(c.t, c.stack)
	applied := count(c.t, c.sql(), "SELECT uniqExact(input_key) FROM orderledger.decisions WHERE outcome IN ('applied', 'stale', 'duplicate')")
	require.Equal(c.t, count(c.t, c.sql(), "SELECT uniqExact(input_key) FROM orderledger.decisions"), applied, "every input has come to its end")
}

func TestTheComposedServicesGiveTheFiguresOfTheEmbeddedStack(t *testing.T) {
	c := newComposed(t)
	o := someOrders(t)
	result, err := importer.Import(t.Context(), importer.Config{URL: c.url}, bytes.NewReader(o.part(0, 1)))
	require.NoError(t, err)
	require.Empty(t, result.Refused)
	require.Equal(t, len(o.lines), result.Accepted)
	t.Logf("imported %d lines in %s", result.Accepted, result.Elapsed)
	o.requireAsTold(c)
	require.Zero(t, c.received().Repeats, "nothing was killed, so nothing is sent again")
}

// TestTwoInstancesGiveTheSameFiguresWhileEachIsKilledInTurn imports through both ingest instances, in parts, two a
// kill. The instance dies in the middle of the first. It is back at once, with its share, or only when the other has
// taken that over; the second part goes on meanwhile.
func TestTwoInstancesGiveTheSameFiguresWhileEachIsKilledInTurn(t *testing.T) {
	c := newComposed(t, "two")
	o := someOrders(t)
	instances := []string{"ingest", "ingest-2", "projector", "projector-2", "emitter", "emitter-2"}
	for _, instance := range instances {
		c.shared(instance, 2)
	}
	client := newInTurn("127.0.0.1:8080", "127.0.0.1:8081")
	for i, instance := range instances {
		first := c.send(client, o.part(2*i, 2*len(instances)))
		first.awaitHalf()
		t.Logf("kill %s", instance)
		c.kill(instance)
		if strings.HasSuffix(instance, "-2") {
			c.shared(instance, 1)
			t.Logf("the other has taken over from %s", instance)
		}
		first.await()
		second := c.send(client, o.part(2*i+1, 2*len(instances)))
		c.start(instance)
		t.Logf("%s is back", instance)
		second.await()
		c.shared(instance, 2)
	}
	o.requireAsTold(c)
}

// sending is an import under way.
type sending struct {
	t    testing.TB
	half chan struct{} // closed when half of the lines are in
	end  chan error
	importer.Result
}

// send imports lines beside the test.
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
		require.Fail(s.t, "the import does not get on")
	}
}

// await waits until every line has its 200.
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
