package peer_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// signed returns the headers of a request, made as the documentation says and not by the code under test.
func signed(secret, cluster, path string, at time.Time, body string) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	sum := sha256.Sum256([]byte(body))
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "orderledger.peer.v1\n%s\nPOST\n%s\n%s\n%x", cluster, path, stamp, sum)
	return http.Header{"Ledger-Peer-Time": {stamp}, "Ledger-Peer-Signature": {hex.EncodeToString(mac.Sum(nil))}}
}

func own(_ int, hash string) string { return hash }

func TestServerRefusesBadSignature(t *testing.T) {
	t.Parallel()
	m := newInstance(t, kafkaOf(t), "the newest of the secrets", secret)
	path, now := "/peer/v1/lanes/0/release", time.Now()
	without := func(name string) http.Header {
		h := signed(secret, cluster, path, now, "")
		h.Del(name)
		return h
	}
	seconds := strconv.FormatInt(now.Unix(), 10)
	for name, tc := range map[string]struct {
		headers http.Header
		status  int
		says    string
	}{
		"no headers":        {nil, 401, "are needed"},
		"no time":           {without("Ledger-Peer-Time"), 401, "are needed"},
		"no signature":      {without("Ledger-Peer-Signature"), 401, "are needed"},
		"old":               {signed(secret, cluster, path, now.Add(-2*time.Minute), ""), 401, "compare the clocks"},
		"ahead":             {signed(secret, cluster, path, now.Add(2*time.Minute), ""), 401, "compare the clocks"},
		"another secret":    {signed("a guess of sixteen bytes", cluster, path, now, ""), 401, "not made with a secret"},
		"another ledger":    {signed(secret, "staging", path, now, ""), 401, "not made with a secret"},
		"another path":      {signed(secret, cluster, "/peer/v1/lanes/1/release", now, ""), 401, "not made with a secret"},
		"not hex":           {http.Header{"Ledger-Peer-Time": {seconds}, "Ledger-Peer-Signature": {"zz"}}, 401, "not made with a secret"},
		"the newest secret": {signed("the newest of the secrets", cluster, path, now, ""), 204, ""},
		"the previous one":  {signed(secret, cluster, path, now, ""), 204, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.url+path, http.NoBody)
		require.NoError(t, err)
		for key, values := range tc.headers {
			req.Header[key] = values
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		text := make([]byte, 4096)
		n, _ := resp.Body.Read(text)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, tc.status, resp.StatusCode, "%s: %s", name, text[:n])
		require.Contains(t, string(text[:n]), tc.says, name)
	}
	require.Equal(t, map[string]int{"unsigned": 3, "old": 2, "wrong": 4}, m.refusals())
}

// The signature covers the body. Client and server would not notice if both of them left it out.
func TestServerRefusesChangedBody(t *testing.T) {
	t.Parallel()
	m := newInstance(t, kafkaOf(t), secret)
	const path, body = "/peer/v1/commands", "a body"
	for name, tc := range map[string]struct {
		signed string
		status int
	}{
		"it is signed":             {body, http.StatusBadRequest}, // No commands, which the listener says after the signature.
		"another one is signed":    {"a longer body", http.StatusUnauthorized},
		"none is signed":           {"", http.StatusUnauthorized},
		"only its start is signed": {body[:1], http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.url+path, strings.NewReader(body))
			require.NoError(t, err)
			req.Header = signed(secret, cluster, path, time.Now(), tc.signed)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, tc.status, resp.StatusCode)
		})
	}
}

func TestClientAsksForRelease(t *testing.T) {
	t.Parallel()
	m := newInstance(t, kafkaOf(t), secret)
	for name, tc := range map[string]struct {
		secret string
		url    string
		lane   int32
		says   string
	}{
		"the secret":     {secret, m.url + "/", 0, ""},
		"another secret": {"another of sixteen bytes", m.url, 0, "401"},
		"no such lane":   {secret, m.url, lanes, "404"},
		"no listener":    {secret, "http://127.0.0.1:1", 0, "unreachable"},
	} {
		err := newClient(t, tc.secret).AskRelease(t.Context(), tc.url, tc.lane)
		if tc.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, tc.says, name)
	}
	require.Nil(t, peer.NewClient(peer.Config{}, cluster), "without a secret the instance is alone")
}

// An owner of another version must decide nothing that it reads differently.
func TestServerRefusesOtherReading(t *testing.T) {
	t.Parallel()
	m := newInstance(t, kafkaOf(t), secret)
	m.run()
	settle(t, m)
	m.create("S1", "S2")
	client := newClient(t, secret)
	body := []byte(`{"shipmentIds":["S1","S2"],"locationId":"LOC1"}`)
	results, err := client.ForwardDispatch(t.Context(), m.url, "own", body, []string{"k1", "k2"}, func(i int, hash string) string {
		if i == 0 {
			return strings.Repeat("00", 32)
		}
		return hash
	})
	require.NoError(t, err)
	require.ErrorIs(t, results[0].Err, peer.ErrVersions)
	require.ErrorContains(t, results[0].Err, "another hash")
	require.NoError(t, results[1].Err, "it decides the item that both read alike")
	require.Equal(t, ledgerv1.Outcome_OUTCOME_REJECTED, results[1].Receipt.Outcome, "it is not packed yet")
	_, err = client.ForwardDispatch(t.Context(), m.url, "own", body, []string{"k3", "k4"}, own)
	require.NoError(t, err)
	var keys []string
	for _, d := range m.decisions(5) {
		if d.GetShipmentId() == "S1" {
			keys = append(keys, d.GetInputKey())
		}
	}
	require.Len(t, keys, 2, "its creation, and the command after the refused one")
	require.Equal(t, "k3", keys[1])
}

// An owner must not forward a forwarded command, or two instances could send it in circles.
func TestServerForwardsNothing(t *testing.T) {
	t.Parallel()
	brokers := kafkaOf(t)
	a, b := newInstance(t, brokers, secret), newInstance(t, brokers, secret)
	a.run()
	b.run()
	settle(t, a, b)
	id := shipmentIn(b.owned()[0])
	b.create(id)
	body := []byte(`{"shipmentIds":["` + id + `"]}`)
	results, err := newClient(t, secret).ForwardDispatch(t.Context(), a.url, "own", body, []string{"k1"}, own)
	require.NoError(t, err)
	require.ErrorIs(t, results[0].Err, journal.ErrNotOwner)
}

func TestConfigReportsProblems(t *testing.T) {
	t.Parallel()
	keys := secrets(secret)
	for want, cfg := range map[string]peer.Config{
		"set ORDERLEDGER_INGEST_PEER_SECRET":    {Addr: ":8081", URL: "http://a:8081"},
		"set ORDERLEDGER_INGEST_PEER_URL":       {Addr: ":8081", Secrets: keys},
		"set ORDERLEDGER_INGEST_PEER_ADDR":      {URL: "http://a:8081"},
		"of no use without a listener":          {Secrets: keys},
		"want host:port":                        {Addr: "here", URL: "http://a:8081", Secrets: keys},
		"want http:// or https:// with a host,": {Addr: ":8081", URL: "a:8081", Secrets: keys},
		"secret 2 has 5 bytes":                  {Addr: ":8081", URL: "https://a/peers", Secrets: secrets(secret, "short")},
		"timeouts: want 0":                      {AttemptTimeout: -1},
	} {
		require.ErrorContains(t, cfg.Validate(), want)
	}
	require.NoError(t, peer.Config{}.Validate())
	require.NoError(t, peer.Config{Addr: ":8081", URL: "https://a/peers", Secrets: keys}.Validate())
}
