package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every instance is asked, and one that has the lane is enough.
func TestLaneRetryAsksEveryInstance(t *testing.T) {
	t.Parallel()
	answer := func(status int, text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || r.URL.Path != "/lanes/3/retry" {
				status = http.StatusTeapot
			}
			http.Error(w, text, status)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	open, reading := answer(http.StatusOK, ""), answer(http.StatusAccepted, "being taken over")
	elsewhere, damaged := answer(http.StatusNotFound, "this instance does not own the lane"), answer(http.StatusConflict, "the lane is damaged")

	var out bytes.Buffer
	require.NoError(t, retryLane(t.Context(), &out, 3, []string{elsewhere, " " + open + "/"}))
	require.Contains(t, out.String(), elsewhere+": this instance does not own the lane")
	require.Contains(t, out.String(), open+": open")
	out.Reset()
	require.NoError(t, retryLane(t.Context(), &out, 3, []string{reading}))
	require.Contains(t, out.String(), reading+"/readyz/lanes/3")
	require.ErrorContains(t, retryLane(t.Context(), &out, 3, []string{elsewhere}), "no instance that answered has it")
	err := retryLane(t.Context(), &out, 3, []string{damaged, elsewhere, "http://127.0.0.1:1"})
	require.ErrorContains(t, err, "the lane is damaged")
	require.ErrorContains(t, err, "127.0.0.1:1")
	require.ErrorContains(t, run(t.Context(), []string{"lane", "retry", "x"}), "want a number")
}
