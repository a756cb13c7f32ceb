package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestReceiver(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	in, err := newInbox(secret, &out)
	require.NoError(t, err)
	webhook, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	send := func(id int64, order, eventType, extra string) int {
		body := fmt.Sprintf(`{"messageId": %d, "orderCode": %q, "eventType": %q, "locationCode": "IN1"%s}`, id, order, eventType, extra)
		signature, err := webhook.Sign(fmt.Sprint(id), time.Now(), []byte(body))
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodPost, "/suborders", strings.NewReader(body))
		r.Header.Set("Webhook-Id", fmt.Sprint(id))
		r.Header.Set("Webhook-Timestamp", fmt.Sprint(time.Now().Unix()))
		r.Header.Set("Webhook-Signature", signature)
		w := httptest.NewRecorder()
		in.receive(w, r)
		return w.Code
	}
	require.Equal(t, 200, send(10, "a", "SUBORDER_CREATE", ""))
	require.Equal(t, 200, send(30, "a", "SUBORDER_COMPLETE", ""))
	require.Equal(t, 200, send(30, "a", "SUBORDER_COMPLETE", ""))
	require.Equal(t, 200, send(10, "a", "SUBORDER_CREATE", `, "x": 1`))
	require.Equal(t, 200, send(20, "a", "SUBORDER_CANCEL", ""))
	require.Equal(t, 200, send(15, "b", "SUBORDER_CREATE", ""))

	forged := httptest.NewRequest(http.MethodPost, "/suborders", strings.NewReader(`{"messageId": 40, "orderCode": "a"}`))
	w := httptest.NewRecorder()
	in.receive(w, forged)
	require.Equal(t, 401, w.Code)

	w = httptest.NewRecorder()
	in.stats(w, httptest.NewRequest(http.MethodGet, "/stats", nil))
	var got counts
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.Equal(t, counts{
		Received: 6, Messages: 4, Repeats: 2, Suborders: 2, Rejected: 1, OutOfOrder: 1, Changed: 1,
		EventTypes: map[string]int{"SUBORDER_CREATE": 2, "SUBORDER_COMPLETE": 1, "SUBORDER_CANCEL": 1},
	}, got)
	require.Contains(t, out.String(), "OUT OF ORDER")
}

func TestReceiverRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	ran := make(chan error, 1)
	go func() { ran <- run(ctx, []string{"-listen", "127.0.0.1:0", "-quiet"}, writer) }()
	var url string
	_, err := fmt.Fscanf(reader, "listening on %s\n", &url)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.Replace(url, "/suborders", "/stats", 1), http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
	cancel()
	require.NoError(t, <-ran)
}
