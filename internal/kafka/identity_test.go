package kafka_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/kafka"
)

func TestLaneTransactionalIDsShareACoordinator(t *testing.T) {
	t.Parallel()
	hash := func(s string) (h int32) { // Java's String.hashCode.
		for _, c := range s {
			h = 31*h + c
		}
		return h
	}
	for _, prefix := range []string{"orderledger", "orderledger-a1b2c3d4", "x"} {
		for lane := range int32(64) {
			aa, bb := kafka.LaneTransactionalIDs(prefix, lane)
			require.NotEqual(t, aa, bb)
			require.Equal(t, hash(aa), hash(bb))
		}
	}
	aa, bb := kafka.LaneTransactionalIDs(kafka.TransactionalPrefix("shop", "beef"), 7)
	require.Equal(t, "shop-beef-lane-7-Aa", aa)
	require.Equal(t, "shop-beef-lane-7-BB", bb)
}

func TestBootNonce(t *testing.T) {
	t.Parallel()
	answer := "a1b2c3d4\n"
	owner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(owner.Close)
	cfg := kafka.DefaultConfig()
	cfg.Cluster = "shop"

	prefix, err := kafka.ResolvePrefix(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, "shop", prefix, "a real cluster has no boot nonce")

	cfg.BootURL = owner.URL
	prefix, err = kafka.ResolvePrefix(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, "shop-a1b2c3d4", prefix)

	answer = "<html>"
	_, err = kafka.ResolvePrefix(t.Context(), cfg)
	require.ErrorContains(t, err, "is not a nonce")

	owner.Close()
	_, err = kafka.ResolvePrefix(t.Context(), cfg)
	require.Error(t, err)
}
