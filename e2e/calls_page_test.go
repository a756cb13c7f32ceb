package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/importer"
)

var updateCalls = flag.Bool("update", false, "write the answers into docs/calls.md and docs/walkthrough.md")

const (
	callsPage       = "../docs/calls.md"
	walkthroughPage = "../docs/walkthrough.md"
)

var (
	// pageCall is a call with its answer.
	pageCall = regexp.MustCompile("(?s)```sh\n(curl .+?)\n```\n\n```http\n(.*?)```\n")
	pageFile = regexp.MustCompile("(?s)```json (\\S+)\n(.+?)```\n")
	// The calls are about March 2025: any other time is that of the test.
	timeOfTest = regexp.MustCompile(`20(2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+\d\d:?\d\d)`)
	dayOfTest  = regexp.MustCompile(`20(2[6-9]|[3-9]\d)-\d\d-\d\d`)
	// Offsets count the markers of transactions, and it varies how many decisions one commits.
	offsetOfTest = regexp.MustCompile(`"(eventsEnd|projected|decisionsEnd|shown|translated)": \d+`)
	requestID    = regexp.MustCompile(`urn:orderledger:request:[0-9a-f-]{36}`)
	// The page shows the beginning of a token.
	pageToken = regexp.MustCompile(`(next_token=\w{10})[\w%-]+`)
	// routeOfAPI is the first cell of a route in the tables of docs/api.md.
	routeOfAPI = regexp.MustCompile("^\\| `((?:GET|POST)(?:` or `POST)?) (/[^?` ]*)")
)

// TestCallsPage makes the calls of docs/calls.md in their order and compares the answers. -update writes them.
func TestCallsPage(t *testing.T) {
	text, err := os.ReadFile(callsPage)
	require.NoError(t, err)
	dir := t.TempDir()
	for _, f := range pageFile.FindAllStringSubmatch(string(text), -1) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, f[1]), []byte(f[2]), 0o600))
	}
	s := newStackWithoutReceiver(t, "--sellers", filepath.Join(dir, "sellers.json"), "--lanes", "2")
	orders, err := os.Open(filepath.Join(dir, "orders.ndjson"))
	require.NoError(t, err)
	defer orders.Close()
	imported, err := importer.Import(t.Context(), importer.Config{URL: s.url, CorrelationID: "import-of-the-orders"}, orders)
	require.NoError(t, err)
	require.Empty(t, imported.Refused)

	got, made := makeCalls(t, s, callsPage, string(text))
	require.Greater(t, made, 40)
	require.Equal(t, 1, strings.Count(got, `"status": "FAILURE"`), "every call but one shows success")
	require.NotContains(t, got, "quarantined")
}

// TestWalkthrough does the same with docs/walkthrough.md: a self-ship order with a service and a return.
func TestWalkthrough(t *testing.T) {
	text, err := os.ReadFile(walkthroughPage)
	require.NoError(t, err)
	sellers := filepath.Join(t.TempDir(), "sellers.json")
	require.NoError(t, os.WriteFile(sellers, []byte(pageFile.FindStringSubmatch(string(text))[2]), 0o600))
	s := newStackWithoutReceiver(t, "--sellers", sellers, "--lanes", "2")
	got, made := makeCalls(t, s, walkthroughPage, string(text))
	require.Equal(t, 14, made)
	require.Equal(t, 1, strings.Count(got, `"status": "FAILURE"`), "every call but one shows success")
	require.NotContains(t, got, "quarantined")
	require.Contains(t, got, "│ RET-1     │ CHAIRS        │ COMPLETED │     1 │")
}

// makeCalls makes the calls of a page in their order and compares the answers, or writes them. It returns the page with
// the answers, and the number of calls.
func makeCalls(t *testing.T, s *stack, path, text string) (got string, made int) {
	t.Helper()
	page := callsOfPage{t: t, stack: s}
	got = pageCall.ReplaceAllStringFunc(text, func(block string) string {
		m := pageCall.FindStringSubmatch(block)
		require.NoError(t, importer.Wait(t.Context(), s.url, nil))
		answer := page.make(m[1])
		if !*updateCalls {
			require.Equal(t, stable(m[2]), stable(answer), "%s", m[1])
		}
		return strings.Replace(block, "```http\n"+m[2], "```http\n"+answer, 1)
	})
	if *updateCalls {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	return got, page.made
}

// TestCallsPageHasEveryRoute compares the page with the routes of docs/api.md.
func TestCallsPageHasEveryRoute(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(callsPage)
	require.NoError(t, err)
	api, err := os.ReadFile("../docs/api.md")
	require.NoError(t, err)
	routes := 0
	for line := range strings.Lines(string(api)) {
		m := routeOfAPI.FindStringSubmatch(line)
		if m == nil || m[2] == "/metrics" || m[2] == "/version" || m[2] == "/boot" {
			continue
		}
		for method := range strings.SplitSeq(m[1], "` or `") {
			routes++
			require.Contains(t, string(page), "### `"+method+" "+m[2]+"`\n")
		}
	}
	require.Greater(t, routes, 30)
}

// stable replaces what differs between two runs.
func stable(answer string) string {
	answer = offsetOfTest.ReplaceAllString(requestID.ReplaceAllString(answer, "ID"), `"$1": N`)
	return dayOfTest.ReplaceAllString(timeOfTest.ReplaceAllString(answer, "TIME"), "DAY")
}

// callsOfPage makes the calls of the page as curl does.
type callsOfPage struct {
	t     *testing.T
	stack *stack
	next  string // The nextPageUrl of the last page.
	made  int
}

func (p *callsOfPage) make(command string) string {
	p.made++
	command = strings.NewReplacer("$api", p.stack.url, "$clickhouse", "http://"+p.stack.clickhouse, "$auth", "Authorization: Bearer seller-token-of-the-demo",
		"$next", p.next, "$soon", time.Now().AddDate(0, 0, 3).Format(time.DateOnly), "\\\n", "").Replace(command)
	for range 200 {
		answer := p.send(words(p.t, command)[1:])
		if !strings.Contains(answer, "ORDER_ITEM_PACKING_IN_PROGRESS") {
			return answer
		}
		// The documents are not ready: the page says to ask again.
		select {
		case <-time.After(50 * time.Millisecond):
		case <-p.t.Context().Done():
		}
	}
	p.t.Fatalf("no documents: %s", command)
	return ""
}

func (p *callsOfPage) send(args []string) string {
	method, url, body, header := http.MethodGet, "", "", http.Header{}
	for i := 0; i < len(args); i++ {
		value := func() string { i++; return args[i] }
		switch args[i] {
		case "-H":
			name, text, found := strings.Cut(value(), ": ")
			require.True(p.t, found)
			header.Set(name, text)
		case "-d":
			method, body = http.MethodPost, value()
			header.Set("Content-Type", "application/x-www-form-urlencoded") // As curl does.
		case "-X":
			method = value()
		default:
			url = args[i]
		}
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, url, strings.NewReader(body))
	require.NoError(p.t, err)
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	return p.answer(resp, text)
}

// answer returns the answer as the page shows it.
func (p *callsOfPage) answer(resp *http.Response, text []byte) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n", resp.Status)
	if allow := resp.Header.Get("Allow"); allow != "" {
		fmt.Fprintf(&out, "Allow: %s\n", allow)
	}
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if kind != "" && kind != "application/json" {
		fmt.Fprintf(&out, "Content-Type: %s\n", kind)
	}
	switch {
	case bytes.HasPrefix(text, []byte("%PDF")):
		out.WriteString("\n%PDF…\n")
	case json.Valid(text):
		var page struct{ NextPageURL string }
		if err := json.Unmarshal(text, &page); err == nil && page.NextPageURL != "" {
			p.next = page.NextPageURL
		}
		fmt.Fprintf(&out, "\n%s\n", layout(pageToken.ReplaceAll(text, []byte("$1…")), ""))
	default:
		fmt.Fprintf(&out, "\n%s\n", bytes.TrimRight(text, "\n"))
	}
	return out.String()
}

// layout lays JSON out in lines of at most 116 characters.
func layout(text json.RawMessage, indent string) string {
	var spaced bytes.Buffer
	if err := json.Indent(&spaced, text, "", ""); err != nil {
		return string(text)
	}
	line := strings.NewReplacer("{\n", "{", "[\n", "[", "\n}", "}", "\n]", "]", ",\n", ", ", "\n", "").Replace(spaced.String())
	if len(indent)+len(line) <= 116 {
		return line
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	open, _ := decoder.Token()
	var parts []string
	for decoder.More() {
		name := ""
		if open == json.Delim('{') {
			token, _ := decoder.Token()
			name = fmt.Sprintf("%q: ", token)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return line // A long text.
		}
		parts = append(parts, indent+"  "+name+layout(value, indent+"  "))
	}
	ends := map[any][2]string{json.Delim('{'): {"{", "}"}, json.Delim('['): {"[", "]"}}[open]
	if ends[0] == "" {
		return line
	}
	return ends[0] + "\n" + strings.Join(parts, ",\n") + "\n" + indent + ends[1]
}

// words splits a command as a shell does; the page uses quotes of both kinds and no escapes.
func words(t *testing.T, command string) []string {
	t.Helper()
	var out []string
	var word strings.Builder
	quote, inWord := rune(0), false
	for _, r := range command + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\n':
			if inWord {
				out = append(out, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	require.Zero(t, quote, "a quote is open: %s", command)
	return out
}
