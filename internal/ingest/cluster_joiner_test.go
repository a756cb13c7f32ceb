package ingest_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// measureLimit bounds each wait of a measurement whose duration depends on the number of events.
const measureLimit = 20 * time.Minute

// eventually is testkit.Eventually with the limit of a measurement.
func (c *cluster) eventually(cond func() bool, msg string) {
	c.Helper()
	require.Eventually(c, cond, measureLimit, 20*time.Millisecond, msg)
}

// fill creates shipments through the inbox until the ledger has a number of events more.
func (c *cluster) fill(n int) {
	c.Helper()
	inbox, err := journal.NewInbox(c.lanes, kafka.Options(testkit.KafkaConfig(c.brokers, c.lanes))...)
	require.NoError(c, err)
	defer inbox.Close()
	ended := func() (sum int64) {
		ends, err := kadm.NewClient(c.client).ListEndOffsets(c.Context(), events.TopicEvents)
		require.NoError(c, err)
		ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
		return sum
	}
	before := ended()
	var records []journal.InboxRecord
	for i := range n {
		id := fmt.Sprint("F", i)
		records = append(records, journal.InboxRecord{
			ShipmentID: id, Key: "fill/" + id, SellerID: "own", AuthType: "marketplace", AuthID: "m", Body: []byte(created(id)),
		})
		if len(records) == 1000 || i == n-1 {
			_, err := inbox.AppendAll(c.Context(), records)
			require.NoError(c, err)
			records = records[:0]
		}
	}
	c.eventually(func() bool { return ended() >= before+int64(n) }, "all are decided")
}

// An instance with an empty disk joins two that serve many events under load. It measures how long it takes until the
// new one owns lanes; no call fails meanwhile. ORDERLEDGER_TEST_EVENTS is the number of events.
func TestMeasuredEmptyJoiner(t *testing.T) {
	t.Parallel()
	c := newCluster(t, testkit.Apache, 12)
	n := 3_000
	if long() {
		n = 1_000_000
	}
	if text := os.Getenv("ORDERLEDGER_TEST_EVENTS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	one, two := c.launch("one"), c.launch("two")
	c.settle(one, two)
	began := time.Now()
	c.fill(n)
	t.Logf("%d events written in %s", n, time.Since(began).Round(time.Millisecond))
	ids := c.subjects(one.url)
	k := c.call(one.url, ids)
	all := make([]int32, c.lanes)
	for lane := range all {
		all[lane] = int32(lane)
	}
	k.answered(all, time.Now(), 20)

	began = time.Now()
	joiner := c.launch("joiner")
	c.eventually(func() bool {
		now, _ := c.settled(one, two, joiner)
		return len(now["joiner"]) > 0
	}, "the new instance is assigned lanes")
	first := time.Since(began)
	c.eventually(func() bool {
		_, settled := c.settled(one, two, joiner)
		return settled
	}, "it has opened its share")
	t.Logf("an instance with an empty disk joined two with %d events: lanes assigned after %s, all open after %s",
		n, first.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	k.answered(all, time.Now(), 20)
	k.end()
	logQuantiles(t, "longest gap between answers of a lane, meanwhile", k.gaps(all, began))
	require.Empty(t, k.failed, "no call fails")
}
