package ingest_test

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

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// signed are the headers of a request, made as the documentation says and not by the code under test.
func signed(secret, cluster, path string, at time.Time, body string) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	sum := sha256.Sum256([]byte(body))
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "orderledger.peer.v1\n%s\nPOST\n%s\n%s\n%x", cluster, path, stamp, sum)
	return http.Header{"Ledger-Peer-Time": {stamp}, "Ledger-Peer-Signature": {hex.EncodeToString(mac.Sum(nil))}}
}

func TestAPeerWithoutAGoodSignatureIsRefused(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.member(func(c *ingest.Config) { c.Peers.Secrets = secrets("the newest of the secrets", peerSecret) })
	path, now := "/peer/v1/lanes/0/release", time.Now()
	without := func(name string) http.Header {
		h := signed(peerSecret, "orderledger", path, now, "")
		h.Del(name)
		return h
	}
	for name, tc := range map[string]struct {
		headers http.Header
		body    string
		status  int
		says    string
	}{
		"no headers":        {nil, "", 401, "are needed"},
		"no time":           {without("Ledger-Peer-Time"), "", 401, "are needed"},
		"no signature":      {without("Ledger-Peer-Signature"), "", 401, "are needed"},
		"old":               {signed(peerSecret, "orderledger", path, now.Add(-2*time.Minute), ""), "", 401, "compare the clocks"},
		"ahead":             {signed(peerSecret, "orderledger", path, now.Add(2*time.Minute), ""), "", 401, "compare the clocks"},
		"another secret":    {signed("a guess of sixteen bytes", "orderledger", path, now, ""), "", 401, "not made with a secret"},
		"another ledger":    {signed(peerSecret, "staging", path, now, ""), "", 401, "not made with a secret"},
		"another path":      {signed(peerSecret, "orderledger", "/peer/v1/lanes/1/release", now, ""), "", 401, "not made with a secret"},
		"not hex":           {http.Header{"Ledger-Peer-Time": {strconv.FormatInt(now.Unix(), 10)}, "Ledger-Peer-Signature": {"zz"}}, "", 401, "not made with a secret"},
		"the newest secret": {signed("the newest of the secrets", "orderledger", path, now, ""), "", 204, ""},
		"the one before":    {signed(peerSecret, "orderledger", path, now, ""), "", 204, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.peerURL+path, strings.NewReader(tc.body))
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
	const refused = "orderledger_ingest_peer_requests_refused_total"
	require.Equal(t, []int{3, 2, 4}, []int{m.counted(refused, "unsigned"), m.counted(refused, "old"), m.counted(refused, "wrong")})
}

func TestABodyThatWasChangedIsRefused(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.member(nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.peerURL+"/peer/v1/commands", strings.NewReader("what was added"))
	require.NoError(t, err)
	req.Header = signed(peerSecret, "orderledger", "/peer/v1/commands", time.Now(), "what")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
}

func TestAPeerWithTheSecretIsHeard(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.member(nil)
	for name, tc := range map[string]struct {
		cfg  ingest.PeersConfig
		url  string
		lane int32
		says string
	}{
		"the secret":      {ingest.PeersConfig{Secrets: secrets(peerSecret)}, m.peerURL + "/", 0, ""},
		"another secret":  {ingest.PeersConfig{Secrets: secrets("another of sixteen bytes")}, m.peerURL, 0, "401"},
		"no such lane":    {ingest.PeersConfig{Secrets: secrets(peerSecret)}, m.peerURL, lanes, "404"},
		"nobody is there": {ingest.PeersConfig{Secrets: secrets(peerSecret)}, "http://127.0.0.1:1", 0, "unreachable"},
	} {
		peers := ingest.NewPeers(tc.cfg, "orderledger")
		err := peers.AskRelease(t.Context(), tc.url, tc.lane)
		peers.Close()
		if tc.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, tc.says, name)
	}
	require.Nil(t, ingest.NewPeers(ingest.PeersConfig{}, "orderledger"), "without a secret there are no peers")
}

func TestAnOwnerThatReadsSomethingElseDecidesNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	m := f.member(func(c *ingest.Config) { c.Workers = false })
	m.start()
	f.settle()
	f.create(m, "S1", "S2")
	peers := ingest.NewPeers(ingest.PeersConfig{Secrets: secrets(peerSecret)}, "orderledger")
	t.Cleanup(peers.Close)
	body := []byte(`{"shipmentIds":["S1","S2"],"locationId":"LOC1"}`)
	results, err := peers.Forward(t.Context(), m.peerURL, "own", body, []string{"k1", "k2"}, func(i int, hash string) string {
		if i == 0 {
			return strings.Repeat("00", 32)
		}
		return hash
	})
	require.NoError(t, err)
	require.ErrorIs(t, results[0].Err, ingest.ErrVersions)
	require.ErrorContains(t, results[0].Err, "another hash")
	require.NoError(t, results[1].Err, "what both read alike is decided")
	require.Equal(t, ledgerv1.Outcome_OUTCOME_REJECTED, results[1].Receipt.Outcome, "it is not packed yet")
	_, err = peers.Forward(t.Context(), m.peerURL, "own", body, []string{"k3", "k4"}, func(_ int, hash string) string { return hash })
	require.NoError(t, err)
	var keys []string
	for _, d := range m.decisions(5) {
		if d.GetShipmentId() == "S1" {
			keys = append(keys, d.GetInputKey())
		}
	}
	require.Len(t, keys, 2, "its creation, and what came behind the refused")
	require.Equal(t, "k3", keys[1])
}

func TestAnInstanceHandsNothingOnThatWasHandedToIt(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.pair(func(c *ingest.Config) { c.Workers = false })
	id := shipmentIn(b.owned()[0], 0)
	f.create(a, id)
	peers := ingest.NewPeers(ingest.PeersConfig{Secrets: secrets(peerSecret)}, "orderledger")
	t.Cleanup(peers.Close)
	results, err := peers.Forward(t.Context(), a.peerURL, "own", []byte(`{"shipmentIds":["`+id+`"]}`), []string{"k1"},
		func(_ int, hash string) string { return hash })
	require.NoError(t, err)
	require.ErrorIs(t, results[0].Err, journal.ErrNotOwner)
	require.Zero(t, a.counted("orderledger_ingest_forwarded_total", "answered"))
}

func TestThePeersConfigurationSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	keys := secrets(peerSecret)
	for want, cfg := range map[string]ingest.PeersConfig{
		"set ORDERLEDGER_INGEST_PEER_SECRET":    {Addr: ":8081", URL: "http://a:8081"},
		"set ORDERLEDGER_INGEST_PEER_URL":       {Addr: ":8081", Secrets: keys},
		"set ORDERLEDGER_INGEST_PEER_ADDR":      {URL: "http://a:8081"},
		"of no use without a listener":          {Secrets: keys},
		"want host:port":                        {Addr: "here", URL: "http://a:8081", Secrets: keys},
		"want http:// or https:// with a host,": {Addr: ":8081", URL: "a:8081", Secrets: keys},
		"secret 2 has 5 bytes":                  {Addr: ":8081", URL: "https://a/peers", Secrets: secrets(peerSecret, "short")},
		"timeouts: want 0":                      {AttemptTimeout: -1},
	} {
		require.ErrorContains(t, cfg.Validate(), want)
	}
	require.NoError(t, ingest.PeersConfig{}.Validate())
	require.NoError(t, ingest.PeersConfig{Addr: ":8081", URL: "https://a/peers", Secrets: keys}.Validate())
}
