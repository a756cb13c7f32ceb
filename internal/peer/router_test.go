package peer_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/testkit"
)

// router returns a router in this instance.
func (i *instance) router() *peer.Router {
	i.t.Helper()
	r, err := peer.NewRouter(peer.Config{URL: i.url, Secrets: secrets(secret)}, peer.Deps{
		Journal: i.journal, Client: newClient(i.t, secret), Log: testkit.Logger(i.t), Registerer: prometheus.NewRegistry(),
		Cluster: cluster, Lanes: lanes,
	})
	require.NoError(i.t, err)
	return r
}

// dispatchOf returns a call that dispatches a shipment under a key, empty for none.
func dispatchOf(t *testing.T, shipmentID, key string) peer.Call {
	t.Helper()
	call := peer.Call{
		Route: "dispatch", Body: []byte(`{"shipmentIds":["` + shipmentID + `"],"locationId":"LOC1"}`),
		SellerID: "own", AuthType: "seller", AuthID: "own",
	}
	read, err := marketplace.ReadCall(call.Route, "", call.Body, marketplace.DefaultSettings())
	require.NoError(t, err)
	call.Submissions = []peer.Submission{{
		ShipmentID: shipmentID, Input: read[0].Input, Key: key, Hash: read[0].Hash,
	}}
	return call
}

// A router that sends a command again says so. Otherwise a lane that has forgotten the first answer, because a clock
// ran ahead, would decide the command once more.
func TestRouterRepeatIsNoFirstAttempt(t *testing.T) {
	t.Parallel()
	for name, moves := range map[string]bool{"the owner gets it again": false, "the lane moves to the sender": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ahead atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			brokers := kafkaOf(t)
			a, b := newInstanceAt(t, brokers, now, secret), newInstanceAt(t, brokers, now, secret)
			a.run()
			b.run()
			settle(t, a, b)
			id := shipmentIn(b.owned()[0])
			b.create(id)
			call, later := dispatchOf(t, id, ""), dispatchOf(t, id, "later")
			router := a.router()
			var requests atomic.Int32
			b.intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				switch {
				case requests.Add(1) > 1 && moves:
					w.WriteHeader(http.StatusUnauthorized)
				case requests.Load() > 1:
					next.ServeHTTP(w, r)
				default:
					next.ServeHTTP(httptest.NewRecorder(), r)
					ahead.Store(int64(2 * time.Hour))
					if _, err := b.journal.Submit(r.Context(), journal.Command{
						ShipmentID: id, Input: later.Submissions[0].Input, Key: "later", Hash: later.Submissions[0].Hash, SellerID: "own",
					}); err != nil {
						t.Errorf("the command that makes the lane forget: %v", err)
					}
					panic(http.ErrAbortHandler) // It closes the connection without an answer.
				}
			})
			answers := make(chan peer.Result, 1)
			go func() { answers <- router.Submit(t.Context(), call)[0] }()
			testkit.Eventually(t, func() bool { return requests.Load() > 1 }, "the router sends it again")
			if moves {
				b.stop()
			}
			require.ErrorIs(t, (<-answers).Err, journal.ErrInDoubt)

			end := router.Submit(t.Context(), dispatchOf(t, id, "end"))[0]
			require.NoError(t, end.Err)
			decided := a.decisions(4)
			require.Equal(t, "later", decided[2].GetInputKey())
			require.Equal(t, "end", decided[3].GetInputKey(), "nothing was decided twice")
		})
	}
}
