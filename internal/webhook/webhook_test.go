package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const (
	oldSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDAAAAAAAA"
)

func secret(t testing.TB, text string) Secret {
	t.Helper()
	s, err := ParseSecret(text)
	require.NoError(t, err)
	return s
}

func headers(id string, at time.Time, signature string) http.Header {
	return http.Header{
		HeaderID: {id}, HeaderTimestamp: {fmt.Sprint(at.Unix())}, HeaderSignature: {signature},
	}
}

// TestSignerMatchesOfficialLibrary compares signatures with those of the specification's own library.
func TestSignerMatchesOfficialLibrary(t *testing.T) {
	t.Parallel()
	official, err := standardwebhooks.NewWebhook(oldSecret)
	require.NoError(t, err)
	signer := NewSigner(secret(t, oldSecret))
	rapid.Check(t, func(t *rapid.T) {
		id := fmt.Sprint(rapid.Int64Min(1).Draw(t, "id"))
		at := time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "at"), 0)
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		want, err := official.Sign(id, at, body)
		require.NoError(t, err)
		require.Equal(t, want, signer.Sign(id, at, body))
	})
	now := time.Now()
	require.NoError(t, official.Verify([]byte("{}"), headers("1", now, signer.Sign("1", now, []byte("{}")))))
}

func TestSignerWithSeveralSecrets(t *testing.T) {
	t.Parallel()
	now, body := time.Now(), []byte(`{"messageId": 7}`)
	both := NewSigner(secret(t, newSecret), secret(t, oldSecret)).Sign("7", now, body)
	require.Len(t, strings.Fields(both), 2)
	for _, text := range []string{oldSecret, newSecret} {
		official, err := standardwebhooks.NewWebhook(text)
		require.NoError(t, err)
		require.NoError(t, official.Verify(body, headers("7", now, both)))
		require.NoError(t, Verify(headers("7", now, both), body, now, time.Minute, secret(t, text)))
	}
	require.Empty(t, NewSigner().Sign("7", now, body))
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now, body, key := time.Unix(1_700_000_000, 0), []byte(`{"messageId": 7}`), secret(t, oldSecret)
	good := NewSigner(key).Sign("7", now, body)
	for name, c := range map[string]struct {
		header http.Header
		body   string
		secret Secret
		want   error
	}{
		"valid":              {headers("7", now, good), string(body), key, nil},
		"valid among others": {headers("7", now, "v1a,x v1,AAAA "+good), string(body), key, nil},
		"another body":       {headers("7", now, good), `{"messageId": 8}`, key, ErrBadSignature},
		"another id":         {headers("8", now, good), string(body), key, ErrBadSignature},
		"another secret":     {headers("7", now, good), string(body), secret(t, newSecret), ErrBadSignature},
		"no secret":          {headers("7", now, good), string(body), Secret{}, ErrBadSignature},
		"another time":       {headers("7", now.Add(time.Second), good), string(body), key, ErrBadSignature},
		"too old":            {headers("7", now.Add(-61*time.Second), good), string(body), key, ErrStale},
		"too new":            {headers("7", now.Add(61*time.Second), good), string(body), key, ErrStale},
		"no signature":       {headers("7", now, ""), string(body), key, ErrNoSignature},
		"no id":              {headers("", now, good), string(body), key, ErrNoSignature},
		"not a timestamp":    {http.Header{HeaderID: {"7"}, HeaderTimestamp: {"now"}, HeaderSignature: {good}}, string(body), key, ErrNoSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, Verify(c.header, []byte(c.body), now, time.Minute, c.secret), c.want)
		})
	}
}

func TestSecretIsMasked(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!", "whsec_c2hvcnQ="} {
		_, err := ParseSecret(text)
		require.ErrorIs(t, err, ErrBadSecret, text)
	}
	var out strings.Builder
	s := secret(t, oldSecret)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", slog.Any("secret", s))
	shown := out.String() + fmt.Sprintf("%v %+v %#v %s", s, s, s, []Secret{s})
	require.NotContains(t, shown, "MfKQ9r8")
	require.NotContains(t, shown, fmt.Sprint(s.key[0])+" "+fmt.Sprint(s.key[1]))
}

func TestClassify(t *testing.T) {
	t.Parallel()
	retry := map[int]bool{408: true, 425: true, 429: true}
	for status := 100; status < 1000; status++ {
		want := RetrySlow
		switch {
		case status >= 200 && status < 300:
			want = OK
		case status >= 500 || retry[status]:
			want = Retry
		}
		require.Equal(t, want, Classify(Response{Status: status}, nil), status)
	}
	require.Equal(t, Retry, Classify(Response{}, errors.New("refused")))
	require.Equal(t, Retry, Classify(Response{Status: 200, BodyError: true}, nil))
	require.Equal(t, RetrySlow, Classify(Response{Status: 401, BodyError: true}, nil))
	require.Equal(t, []string{"ok", "retry", "retry_slow"}, []string{OK.String(), Retry.String(), RetrySlow.String()})
}

func client(t testing.TB, url string, change func(*Config)) *Client {
	t.Helper()
	config := DefaultConfig()
	config.URL, config.Secrets = url, []Secret{secret(t, oldSecret)}
	if change != nil {
		change(&config)
	}
	c, err := New(config)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestClientPost(t *testing.T) {
	t.Parallel()

	t.Run("body, id and signature arrive", func(t *testing.T) {
		t.Parallel()
		body := []byte(`{ "messageId" : 7, "note": "é" }`)
		official, err := standardwebhooks.NewWebhook(oldSecret)
		require.NoError(t, err)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got, err := io.ReadAll(r.Body)
			if err != nil || string(got) != string(body) || official.Verify(got, r.Header) != nil ||
				r.Method != http.MethodPost || r.ContentLength != int64(len(body)) || r.URL.RequestURI() != "/in?a=b" ||
				r.Header.Get("Authorization") != "Bearer x" || r.Header.Get("Webhook-Id") != "7" ||
				r.Header.Get("Traceparent") != "00-1-2-01" || r.Header.Get("Ol-Seq") != "5" || r.Header.Get("Accept-Encoding") != "" {
				w.WriteHeader(http.StatusBadRequest)
			}
		}))
		t.Cleanup(server.Close)
		c := client(t, server.URL+"/in?a=b", func(c *Config) { c.Headers = map[string]string{"Authorization": "Bearer x"} })
		for range 2 {
			got, err := c.Post(t.Context(), Message{
				ID: "7", Body: body, Traceparent: "00-1-2-01", Headers: map[string]string{"Ol-Seq": "5"},
			})
			require.NoError(t, err)
			require.Equal(t, Response{Status: 200}, got)
		}
	})

	t.Run("redirects are not followed", func(t *testing.T) {
		t.Parallel()
		var followed bool
		mux := http.NewServeMux()
		mux.HandleFunc("/to", func(http.ResponseWriter, *http.Request) { followed = true })
		mux.HandleFunc("/from/{status}", func(w http.ResponseWriter, r *http.Request) {
			var status int
			_, _ = fmt.Sscan(r.PathValue("status"), &status)
			w.Header().Set("Location", "/to")
			w.WriteHeader(status)
		})
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		for _, status := range []int{300, 301, 302, 303, 307, 308} {
			got, err := client(t, fmt.Sprintf("%s/from/%d", server.URL, status), nil).Post(t.Context(), Message{ID: "7", Body: []byte("{}")})
			require.NoError(t, err)
			require.Equal(t, status, got.Status)
		}
		require.False(t, followed)
	})

	t.Run("connections are reused, also after long responses", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write(make([]byte, drainBytes-1))
		}))
		opened := 0
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				opened++ // Requests follow one another, so this does not race.
			}
		}
		server.Start()
		c := client(t, server.URL, nil)
		for range 20 {
			_, err := c.Post(t.Context(), Message{ID: "7", Body: []byte("{}")})
			require.NoError(t, err)
		}
		server.Close()
		require.Equal(t, 1, opened)
	})

	t.Run("an endless response is abandoned after its status", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for chunk := make([]byte, 16<<10); r.Context().Err() == nil; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}))
		t.Cleanup(server.Close)
		got, err := client(t, server.URL, nil).Post(t.Context(), Message{ID: "7", Body: []byte("{}")})
		require.NoError(t, err)
		require.Equal(t, 200, got.Status)
	})

	// unfinished answers with a status and a text, and never ends the body.
	unfinished := func(t *testing.T, status int, text string) (url string) {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}))
		t.Cleanup(server.Close)
		return server.URL
	}

	t.Run("a response that never ends is abandoned once it has decided", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for _, c := range []struct {
			field, text string
			want        Response
		}{
			{"", "{", Response{Status: 200}},
			{"hasError", "{", Response{Status: 503}},
			{"hasError", `{"hasError": false}`, Response{Status: 200}},
			{"hasError", `{"hasError": true, `, Response{Status: 200, BodyError: true}},
			{"hasError", "OK", Response{Status: 200}},
		} {
			post := client(t, unfinished(t, c.want.Status, c.text), func(to *Config) {
				to.Timeout, to.ErrorField = time.Hour, c.field
			})
			got, err := post.Post(ctx, Message{ID: "7", Body: []byte("{}")})
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.NoError(t, ctx.Err(), "Post returns by itself")
		}
	})

	t.Run("a 2xx whose body has not decided is no acceptance", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"", "{", `{"hasError": tr`, `{"errorMessage": null, `} {
			url := unfinished(t, 200, text)
			slow := client(t, url, func(c *Config) { c.Timeout, c.ErrorField = 100*time.Millisecond, "hasError" })
			got, err := slow.Post(t.Context(), Message{ID: "7", Body: []byte("{}")})
			require.ErrorIs(t, err, context.DeadlineExceeded, text)
			require.Equal(t, Retry, Classify(got, err))

			// The end of the context, as at a stop, ends the wait.
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			patient := client(t, url, func(c *Config) { c.Timeout, c.ErrorField = time.Hour, "hasError" })
			got, err = patient.Post(ctx, Message{ID: "7", Body: []byte("{}")})
			require.ErrorIs(t, err, context.DeadlineExceeded, text)
			require.Equal(t, Retry, Classify(got, err))
		}
		broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		}))
		t.Cleanup(broken.Close)
		_, err := client(t, broken.URL, func(c *Config) { c.ErrorField = "hasError" }).Post(t.Context(), Message{ID: "7"})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})

	t.Run("a body may decide later than a second after the status", func(t *testing.T) {
		t.Parallel()
		decide := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = http.NewResponseController(w).Flush()
			<-decide
			_, _ = io.WriteString(w, `{"hasError": true}`)
		}))
		t.Cleanup(server.Close)
		time.AfterFunc(drainTime+100*time.Millisecond, func() { close(decide) })
		post := client(t, server.URL, func(c *Config) { c.ErrorField = "hasError" })
		got, err := post.Post(t.Context(), Message{ID: "7", Body: []byte("{}")})
		require.NoError(t, err)
		require.Equal(t, Response{Status: 200, BodyError: true}, got)
	})

	t.Run("a body may say that a 2xx is an error", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body) // All of it: a server reads no more once it has written.
			_, _ = w.Write(text)
		}))
		t.Cleanup(server.Close)
		strict := client(t, server.URL, func(c *Config) { c.ErrorField = "hasError" })
		for body, want := range map[string]bool{
			`{"hasError": true, "errorMessage": "no stock"}`: true, `{"errorMessage": null, "hasError":true}`: true,
			`{"hasError": "true"}`: true, "\xef\xbb\xbf" + `{"hasError": true}`: true, `{"hasError": true`: true,
			`{"hasError": true, "errorMessage": "` + strings.Repeat("x", 2*drainBytes) + `"}`: true,
			`{"errorMessage": "` + strings.Repeat("x", drainBytes) + `", "hasError": true}`:   false, // Beyond the limit.
			`{"hasError": false}`: false, `{"hasError": 1}`: false, `{"hasError": null}`: false, `{}`: false, ``: false,
			`{"data": {"hasError": true}}`: false, `["hasError", true]`: false, `{"data": "hasError: true"}`: false, `OK`: false,
		} {
			got, err := strict.Post(t.Context(), Message{ID: "7", Body: []byte(body)})
			require.NoError(t, err)
			require.Equal(t, Response{Status: 200, BodyError: want}, got, body)
		}
		got, err := client(t, server.URL, nil).Post(t.Context(), Message{ID: "7", Body: []byte(`{"hasError": true}`)})
		require.NoError(t, err)
		require.Equal(t, Response{Status: 200}, got, "without a rule only the status counts")
	})

	t.Run("an error names the message and not the URL", func(t *testing.T) {
		t.Parallel()
		entered := make(chan struct{}, 2)
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			entered <- struct{}{}
			<-r.Context().Done()
		}))
		t.Cleanup(server.Close)
		slow := client(t, server.URL+"/geheim", func(c *Config) { c.Timeout = 20 * time.Millisecond })
		_, timedOut := slow.Post(t.Context(), Message{ID: "7", Body: []byte("{}")})
		require.ErrorIs(t, timedOut, context.DeadlineExceeded)

		<-entered
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-entered; cancel() }()
		_, cancelled := client(t, server.URL+"/geheim", nil).Post(ctx, Message{ID: "7", Body: []byte("{}")})
		require.ErrorIs(t, cancelled, context.Canceled)

		_, refused := client(t, "http://127.0.0.1:1/geheim", nil).Post(t.Context(), Message{ID: "7", Body: []byte("{}")})
		for _, err := range []error{timedOut, cancelled, refused} {
			require.ErrorContains(t, err, "post message 7: ")
			require.NotContains(t, err.Error(), "geheim")
		}
	})

	t.Run("both forms of Retry-After are parsed", func(t *testing.T) {
		t.Parallel()
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		const longest = time.Duration(math.MaxInt64)
		for value, want := range map[string]time.Duration{
			"": 0, "120": 2 * time.Minute, "-5": 0, "soon": 0, " 7 ": 7 * time.Second, "007": 7 * time.Second,
			"12.5": 13 * time.Second, "12.0": 12 * time.Second, "0.001": time.Second, "0": 0, "-0.5": 0, ".5": 0,
			"+5": 0, "1e3": 0, "0x10": 0, "5s": 0, "12,5": 0, "1.2.3": 0, "NaN": 0, "Inf": 0,
			"9999999999": longest, "9223372035": 9223372035 * time.Second, "9223372036.9": longest,
			"99999999999999999999": longest, "9223372036854775807.5": longest, "18446744073709551617": longest,
			"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0,
			"Fri, 31 Dec 9999 23:59:59 GMT": longest, "Mon, 01 Jan 0001 00:00:00 GMT": 0,
		} {
			require.Equal(t, want, retryAfter(value, now), value)
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		t.Cleanup(server.Close)
		got, err := client(t, server.URL, nil).Post(t.Context(), Message{ID: "7", Body: []byte("{}")})
		require.NoError(t, err)
		require.Equal(t, Response{Status: 429, RetryAfter: 7 * time.Second}, got)
	})
}

func TestNewReportsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := New(Config{URL: "example.org/geheim", Secrets: []Secret{{}}, Headers: map[string]string{"webhook-signature": "x", "host": "y"}})
	for _, problem := range []string{"url", "secret", "webhook-signature", "host", "timeout", "max conns"} {
		require.ErrorContains(t, err, problem)
	}
	require.NotContains(t, err.Error(), "geheim")
}

func BenchmarkSign(b *testing.B) {
	signer, body, now := NewSigner(secret(b, oldSecret)), make([]byte, 2<<10), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		signer.Sign("123456789", now, body)
	}
}
