package testkit_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/testkit"
)

func TestReceiverViolations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ids  []int64  // Of suborder a, in this order.
		fail []int    // Indexes of the requests that are answered 503, not 200.
		body []string // Appended to the body of the request.
		want string   // Part of the one violation; empty for none.
	}{
		"rising":                           {ids: []int64{1, 5, 7}},
		"a retry":                          {ids: []int64{1, 1, 5}, fail: []int{0}},
		"a suffix again":                   {ids: []int64{1, 5, 7, 5, 7, 9}},
		"a suffix again, and again":        {ids: []int64{1, 5, 7, 1, 5, 1, 5, 7}},
		"falling":                          {ids: []int64{5, 1}, want: "message 1 of a first arrived after 5"},
		"overtaking":                       {ids: []int64{1, 5}, fail: []int{0}, want: "message 5 of a overtook 1"},
		"a repeat with a hole":             {ids: []int64{1, 5, 7, 1, 7}, want: "message 7 of a skipped [5]"},
		"news in the middle of the repeat": {ids: []int64{1, 5, 7, 5, 9}, want: "message 9 of a arrived in the middle of a repeat"},
		"a repeat with another body":       {ids: []int64{1, 1}, body: []string{"", " "}, want: "repeated with another body"},
		"another id in the header":         {ids: []int64{-1}, want: `webhook-id "1" of message -1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := testkit.NewReceiver(t, "")
			for i, id := range c.ids {
				for _, f := range c.fail {
					if f == i {
						r.Fail("a", testkit.Failure{Status: 503})
					}
				}
				body := fmt.Sprintf(`{"orderCode": "a", "messageId": %d, "eventType": "SUBORDER_CREATE"}`, id)
				if i < len(c.body) {
					body += c.body[i]
				}
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL(), strings.NewReader(body))
				require.NoError(t, err)
				request.Header.Set("Webhook-Id", fmt.Sprint(max(id, -id)))
				resp, err := http.DefaultClient.Do(request)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
			}
			if c.want == "" {
				r.RequireNoViolations(t)
				return
			}
			require.Len(t, r.Violations(), 1)
			require.Contains(t, r.Violations()[0], c.want)
		})
	}
}

func TestReceiverUnsignedMessage(t *testing.T) {
	t.Parallel()
	r := testkit.NewReceiver(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL(), strings.NewReader(`{"orderCode": "a", "messageId": 1}`))
	require.NoError(t, err)
	request.Header.Set("Webhook-Id", "1")
	resp, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Len(t, r.Violations(), 1)
	require.Equal(t, 1, r.Distinct())
}
