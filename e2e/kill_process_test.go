package e2e

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/demo"
	"github.com/orderledger/orderledger/internal/importer"
)

// killDuring imports a file and kills the process with SIGKILL three times on the way, each time at a random line. The
// process is started again after each.
func killDuring(t *testing.T, s *stack, file []byte, lines int) importer.Result {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	var done atomic.Int64
	progressed := make(chan struct{}, 1)
	type ended struct {
		result importer.Result
		err    error
	}
	imported := make(chan ended, 1)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() {
		result, err := importer.Import(ctx, importer.Config{URL: s.url, CorrelationID: t.Name(), Progress: func(int64) {
			done.Add(1)
			select {
			case progressed <- struct{}{}:
			default:
			}
		}}, bytes.NewReader(file))
		imported <- ended{result, err}
	}()
	for third := range 3 {
		at := int64(lines*third/3 + random.IntN(lines/3))
		for done.Load() < at {
			select {
			case <-progressed:
			case <-time.After(time.Minute):
				require.Fail(t, "the import makes no progress")
			}
		}
		t.Logf("kill at line %d", done.Load())
		s.kill()
		s.start()
	}
	end := <-imported
	require.NoError(t, end.err)
	require.NoError(t, importer.Wait(t.Context(), s.url, nil))
	return end.result
}

// TestProcessKilledDuringImport imports invented histories while `orderledger up` is killed. Nothing is lost or
// duplicated.
func TestProcessKilledDuringImport(t *testing.T) {
	s := newStack(t)
	var file bytes.Buffer
	histories := demo.Histories(7, 600, time.Now())
	for _, n := range histories {
		file.Write(n.Body)
		file.WriteByte('\n')
	}
	result := killDuring(t, s, file.Bytes(), len(histories))
	require.Equal(t, len(histories), result.Accepted)
	require.Empty(t, result.Refused)

	requireTablesEqualLedger(t, s)
	conn := s.sql()
	require.Equal(t, 600, count(t, conn, "SELECT count() FROM orderledger.shipments"))
	require.Zero(t, count(t, conn, "SELECT count() FROM orderledger.decisions WHERE outcome IN ('quarantined', 'rejected')"))
	final := count(t, conn, "SELECT uniqExact(input_key) FROM orderledger.decisions WHERE outcome IN ('applied', 'stale', 'duplicate')")
	require.Equal(t, count(t, conn, "SELECT uniqExact(input_key) FROM orderledger.decisions"), final, "every input has a final decision")
	require.Equal(t, 600, s.receiver.Types()["SUBORDER_CREATE"])
	s.receiver.RequireNoViolations(t)
}

// TestRealHistoriesProcessKilled does the same with real histories, whose figures are known.
func TestRealHistoriesProcessKilled(t *testing.T) {
	dir := olist(t)
	s := newStack(t)
	file, err := os.ReadFile(filepath.Join(dir, "notifications.ndjson.gz"))
	require.NoError(t, err)
	result := killDuring(t, s, file, 19565)
	require.Equal(t, 19565, result.Accepted)
	requireFigures(t, s.sql(), dir)
	requirePushes(t, s)
	requireTablesEqualLedger(t, s)
}
