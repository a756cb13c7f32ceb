package peer_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// What an owner, or a proxy in front of it, answers says whether the commands may be stored. Only a refusal says that
// they are not.
func TestClientReadsAnswers(t *testing.T) {
	t.Parallel()
	const receipt = `{"shipmentId":"S1","version":2,"lane":0,"offset":7,"outcome":1}`
	for name, tc := range map[string]struct {
		status int
		body   string
		says   string // Empty for a receipt.
	}{
		"a receipt":               {200, "[" + receipt + "]", ""},
		"no result":               {200, "[]", "lost: answer of"},
		"a result too many":       {200, "[" + receipt + "," + receipt + "]", "2 results of 1 commands"},
		"no JSON":                 {200, "fine", "lost: answer of"},
		"an endless answer":       {200, strings.Repeat(" ", 4<<20) + "[" + receipt + "]", "lost: answer too long"},
		"another kind of success": {204, "", "lost: "},
		"another place":           {307, "", "lost: "},
		"an error of a proxy":     {502, "upstream", "lost: "},
		"a refusal":               {401, "no", "refused: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			owner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if requests.Add(1) > 1 {
					t.Error("it sent the request again, where the first answer said")
					return
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			t.Cleanup(owner.Close)
			body := []byte(`{"shipmentIds":["S1"],"locationId":"LOC1"}`)
			results, err := newClient(t, secret).ForwardDispatch(t.Context(), owner.URL, "own", body, []string{"k1"}, own)
			if tc.says != "" {
				require.ErrorContains(t, err, tc.says)
				return
			}
			require.NoError(t, err)
			require.Len(t, results, 1)
			require.NoError(t, results[0].Err)
			require.EqualValues(t, 2, results[0].Receipt.Version)
		})
	}
}
