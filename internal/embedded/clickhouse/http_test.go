package clickhouse_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	clickhousego "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
)

type answer struct {
	status int
	header http.Header
	body   string
}

func ask(t testing.TB, method string, params url.Values, body io.Reader, headers ...string) answer {
	t.Helper()
	needEngine(t)
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+server.HTTPAddr()+"/?"+params.Encode(), body)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp.StatusCode, resp.Header, string(b)}
}

func query(sql string, more ...string) url.Values {
	v := url.Values{"query": {sql}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v
}

func TestHTTPAnswersQueries(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Ok.\n", ask(t, http.MethodGet, nil, nil).body)
	require.Equal(t, "1\n", ask(t, http.MethodGet, query("SELECT 1"), nil).body)
	require.Equal(t, "1\n", ask(t, http.MethodPost, nil, strings.NewReader("SELECT 1;")).body)
	require.Equal(t, "3\n", ask(t, http.MethodPost, query("SELECT 1 +"), strings.NewReader(" 2")).body)
	require.Equal(t, "\"a\"\n", ask(t, http.MethodGet, query("SELECT 'a'"), nil, "X-ClickHouse-Format", "CSV").body)
	require.Equal(t, "it's", ask(t, http.MethodGet, query("SELECT {x:String} FORMAT RawBLOB", "param_x", "it's"), nil).body)
	require.Equal(t, "7\n", ask(t, http.MethodGet, query("SELECT getSetting('max_threads')", "max_threads", "7"), nil).body)
	require.Equal(t, "system\n", ask(t, http.MethodGet, query("SELECT currentDatabase()", "database", "system"), nil).body)
	got := ask(t, http.MethodGet, query("SELECT number FROM numbers(200000) FORMAT JSON", "default_format", "CSV"), nil)
	require.Equal(t, "application/json; charset=UTF-8", got.header.Get("Content-Type"))
	var doc struct{ Rows int }
	require.NoError(t, json.Unmarshal([]byte(got.body), &doc))
	require.Equal(t, 200000, doc.Rows)
	got = ask(t, http.MethodGet, query("SELECT number FROM numbers(200000)", "default_format", "JSONEachRow", "enable_http_compression", "1"), nil, "Accept-Encoding", "gzip")
	require.Equal(t, "gzip", got.header.Get("Content-Encoding"))
	z, err := gzip.NewReader(strings.NewReader(got.body))
	require.NoError(t, err)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Equal(t, 200000, strings.Count(string(text), "\n"))
}

func TestHTTPReturnsClickHouseErrors(t *testing.T) {
	t.Parallel()
	got := ask(t, http.MethodGet, query("SELECT * FROM nowhere"), nil)
	require.Equal(t, http.StatusNotFound, got.status)
	require.Equal(t, "60", got.header.Get("X-ClickHouse-Exception-Code"))
	require.Contains(t, got.body, "UNKNOWN_TABLE")
	require.Equal(t, "164", ask(t, http.MethodGet, query("CREATE TABLE x (a Int8) ENGINE = Memory"), nil).header.Get("X-ClickHouse-Exception-Code"), "a GET changes nothing")
	require.Equal(t, "115", ask(t, http.MethodGet, query("SELECT 1", "no_such_setting", "1"), nil).header.Get("X-ClickHouse-Exception-Code"))
	require.Equal(t, "81", ask(t, http.MethodGet, query("SELECT 1", "database", "nowhere"), nil).header.Get("X-ClickHouse-Exception-Code"))
	require.Equal(t, "48", ask(t, http.MethodPost, nil, strings.NewReader("x"), "Content-Encoding", "br").header.Get("X-ClickHouse-Exception-Code"))
}

func TestHTTPInsertsInEveryFormat(t *testing.T) {
	t.Parallel()
	conn := setup(t)
	exec(t, conn, "CREATE TABLE t (id UInt64, s String) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100")
	database := scalar(t, conn, "SELECT currentDatabase()")
	insert := func(sql, body string, more ...string) {
		t.Helper()
		got := ask(t, http.MethodPost, query(sql, append(more, "database", database)...), strings.NewReader(body))
		require.Equal(t, http.StatusOK, got.status, got.body)
		require.Empty(t, got.body)
	}
	insert("INSERT INTO t FORMAT JSONEachRow", `{"id":1,"s":"a\n\nb"}`)
	insert("INSERT INTO t FORMAT CSV", "2,\"x\"\n")
	insert("INSERT INTO t VALUES", "(3, 'v')")
	insert("INSERT INTO t VALUES (4, 'in;line');", "")
	insert("", "INSERT INTO t (s, id) FORMAT TSV\nbody\t5\n")
	insert("", "INSERT INTO t FORMAT RowBinary\n"+"\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x02\n\n")
	insert("INSERT INTO t SELECT 6, 'select'", "")
	insert("INSERT INTO t FORMAT CSV", "7,once\n", "insert_deduplication_token", "k")
	insert("INSERT INTO t FORMAT CSV", "8,dropped\n", "insert_deduplication_token", "k")
	require.Equal(t, "[(1,'a\\n\\nb'),(2,'x'),(3,'v'),(4,'in;line'),(5,'body'),(6,'select'),(7,'once'),(723401728380766730,'\\n\\n')]", scalar(t, conn, "SELECT groupArray((id, s)) FROM (SELECT * FROM t ORDER BY id)"))
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := io.WriteString(z, "9,zip\n")
	require.NoError(t, err)
	require.NoError(t, z.Close())
	got := ask(t, http.MethodPost, query("INSERT INTO t FORMAT CSV", "database", database), &zipped, "Content-Encoding", "gzip")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Contains(t, got.header.Get("X-ClickHouse-Summary"), `"written_rows":"1"`)
	require.Equal(t, "zip", scalar(t, conn, "SELECT s FROM t WHERE id = 9"))
}

func TestHTTPServesClickHouseGo(t *testing.T) {
	t.Parallel()
	for name, method := range map[string]clickhousego.CompressionMethod{"lz4": clickhousego.CompressionLZ4, "none": clickhousego.CompressionNone, "gzip": clickhousego.CompressionGZIP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			native := setup(t)
			conn := open(t, server.HTTPAddr(), func(o *clickhousego.Options) {
				o.Protocol, o.Auth.Database = clickhousego.HTTP, scalar(t, native, "SELECT currentDatabase()")
				o.Compression = &clickhousego.Compression{Method: method, Level: 1}
			})
			exec(t, conn, "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id")
			require.NoError(t, insertNumbers(t, t.Context(), conn, "INSERT INTO t", 0, 100_000))
			require.Equal(t, "100000", scalar(t, conn, "SELECT count() FROM t WHERE id < {n:UInt64}", clickhousego.Named("n", "1000000")))
			rows, err := conn.Query(t.Context(), "SELECT id FROM t WHERE id < 0")
			require.NoError(t, err)
			require.False(t, rows.Next())
			require.NoError(t, rows.Close())
			require.Equal(t, 60, codeOf(t, conn.Exec(t.Context(), "SELECT * FROM nowhere")))
		})
	}
}
