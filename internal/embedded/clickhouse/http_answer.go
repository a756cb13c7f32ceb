package clickhouse

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// contentTypes holds the media types of ClickHouse's formats; all others are application/octet-stream.
var contentTypes = map[string]string{ //nolint:gochecknoglobals // A table, or set once.
	"TabSeparated": "text/tab-separated-values; charset=UTF-8", "TSV": "text/tab-separated-values; charset=UTF-8",
	"TabSeparatedWithNames": "text/tab-separated-values; charset=UTF-8",
	"TSVWithNames":          "text/tab-separated-values; charset=UTF-8",
	"CSV":                   "text/csv; charset=UTF-8; header=absent",
	"CSVWithNames":          "text/csv; charset=UTF-8; header=present",
	"JSON":                  "application/json; charset=UTF-8", "JSONCompact": "application/json; charset=UTF-8",
	"JSONStrings": "application/json; charset=UTF-8",
	"JSONEachRow": "application/x-ndjson; charset=UTF-8", "JSONCompactEachRow": "application/x-ndjson; charset=UTF-8",
	"Pretty": "text/plain; charset=UTF-8", "PrettyCompact": "text/plain; charset=UTF-8",
	"Vertical": "text/plain; charset=UTF-8",
	"Markdown": "text/markdown; charset=UTF-8", "XML": "application/xml; charset=UTF-8",
}

// begin writes the headers, once.
func (h *httpQuery) begin(format string, res *engine.Result) {
	if h.begun {
		return
	}
	h.begun = true
	header := h.w.Header()
	header.Set("X-ClickHouse-Server-Display-Name", "orderledger")
	header.Set("X-ClickHouse-Timezone", h.server.timezone)
	header.Set("X-ClickHouse-Format", format)
	header.Set("X-ClickHouse-Exception-Tag", exceptionTag)
	if id := h.form.Get("query_id"); id != "" {
		header.Set("X-ClickHouse-Query-Id", id)
	}
	var stats engine.Stats
	if res != nil {
		stats = res.Stats()
	}
	header.Set("X-ClickHouse-Summary", fmt.Sprintf(
		`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d","written_bytes":"%d"}`,
		stats.ReadRows, stats.ReadBytes, stats.WrittenRows, stats.WrittenBytes))
	h.server.metrics.rows.Add(float64(stats.WrittenRows))
	kind, ok := contentTypes[format]
	if !ok {
		kind = "application/octet-stream"
	}
	header.Set("Content-Type", kind)
	h.body = h.w
	if h.form.Get("enable_http_compression") == "1" && strings.Contains(h.r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(h.body)
		h.body, h.closes = z, append(h.closes, z.Close)
	}
	if h.form.Get("compress") == "1" {
		h.body = newFrameWriter(h.body)
	}
}

// finish ends the answer.
func (h *httpQuery) finish() error {
	var errs []error
	if f, ok := h.body.(*frameWriter); ok {
		errs = append(errs, f.flush())
	}
	for _, f := range h.closes {
		errs = append(errs, f())
	}
	h.closes = nil
	return errors.Join(errs...)
}

// insert spools the rows, in whatever format they are, and makes the engine read them.
func (h *httpQuery) insert(
	ses *session, st *statement, data io.Reader, settings []setting, params []engine.Param,
) error {
	if st.insert.format == "" {
		st.insert.format = h.form.Get("default_format")
		if f := h.r.Header.Get("X-ClickHouse-Format"); f != "" {
			st.insert.format = f
		}
		if st.insert.format == "" {
			st.insert.format = "Values"
		}
	}
	rows := &spool{tmp: h.server.folder.tmp, limit: h.server.cfg.MaxMemoryInsertBytes}
	defer rows.reset()
	if _, err := io.Copy(rows, data); err != nil {
		return fmt.Errorf("read the rows: %w", err)
	}
	path, err := rows.ready()
	if err != nil {
		return err
	}
	defer h.watchRequest(ses)()
	res, err := ses.query(h.server.infile(&st.insert, settings, path), "Null", params)
	if err != nil {
		return err
	}
	defer res.Close()
	return h.send("TabSeparated", nil, res, true)
}
