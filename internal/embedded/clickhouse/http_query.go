package clickhouse

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// httpQuery is one request with its answer.
type httpQuery struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	form   url.Values
	kind   kind

	body   io.Writer // takes the answer and compresses it
	closes []func() error
	begun  bool
}

// reserved are the parameters of a request that are not settings.
var reserved = map[string]bool{ //nolint:gochecknoglobals // A table, or set once.
	"query": true, "database": true, "default_format": true, "compress": true, "decompress": true,
	"user": true, "password": true,
	"query_id": true, "session_id": true, "session_timeout": true, "session_check": true, "stacktrace": true,
	"wait_end_of_query": true, "buffer_size": true, "quota_key": true, "role": true,
	"client_protocol_version": true, "close_session": true,
	"http_write_exception_in_output_format": true, "custom_http_params": true,
}

func (h *httpQuery) serve(c *client) error {
	if err := h.server.authenticate(h.credentials()); err != nil {
		return err
	}
	body, err := h.requestBody()
	if err != nil {
		return err
	}
	st, data, err := h.statement(body)
	if err != nil {
		return err
	}
	h.kind = st.kind
	database := h.form.Get("database")
	if d := h.r.Header.Get("X-ClickHouse-Database"); d != "" {
		database = d
	}
	ses, err := h.server.newSession(database)
	if err != nil {
		return err
	}
	c.adopt(ses)
	settings, params := h.settings()
	if st.kind == kindInsert {
		return h.insert(ses, &st, data, settings, params)
	}
	if err := ses.apply(settings); err != nil {
		return err
	}
	if h.r.Method != http.MethodPost {
		// A GET request must not change anything.
		if err := ses.conn.Exec("SET readonly = 2"); err != nil {
			return err
		}
	}
	defer h.watchRequest(ses)()
	if err := h.answer(ses, &st, params); err != nil {
		return err
	}
	if st.kind == kindCommand {
		h.server.ddl.Add(1)
	}
	return nil
}

// requestBody returns the decompressed body of the request.
func (h *httpQuery) requestBody() (io.Reader, error) {
	var body io.Reader = h.r.Body
	var err error
	switch e := h.r.Header.Get("Content-Encoding"); e {
	case "", "identity":
	case "gzip":
		body, err = gzip.NewReader(body)
	case "deflate":
		body, err = zlib.NewReader(body)
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(body, zstd.WithDecoderConcurrency(1)); err == nil {
			h.closes = append(h.closes, func() error { z.Close(); return nil })
			body = z
		}
	default:
		err = refuse(codeNotImplemented, "Content encoding %q is not supported", e)
	}
	if err != nil {
		return nil, err
	}
	if h.form.Get("decompress") == "1" {
		body = newFrameReader(body)
	}
	return body, nil
}

// headLimit bounds the head of an INSERT in a body.
const headLimit = 1 << 20

// statement reads the statement from the query parameter and the body, which continues the parameter. The rows after
// the head of an INSERT are not read into memory.
func (h *httpQuery) statement(body io.Reader) (statement, io.Reader, error) {
	if sql := h.form.Get("query"); sql != "" {
		st, err := parse(sql)
		if err == nil && st.kind == kindInsert {
			return st, io.MultiReader(strings.NewReader(rowsIn(&st.insert)), body), nil
		}
		rest, readErr := io.ReadAll(body)
		if readErr != nil {
			return st, nil, readErr
		}
		if len(rest) > 0 {
			st, err = parse(sql + "\n" + string(rest))
		}
		return st, nil, err
	}
	br := bufio.NewReaderSize(body, headLimit)
	head, err := br.Peek(headLimit)
	if err != nil && !errors.Is(err, io.EOF) {
		return statement{}, nil, err
	}
	whole := err != nil
	st, err := parse(string(head))
	if st.kind == kindInsert {
		return st, io.MultiReader(strings.NewReader(rowsIn(&st.insert)), skipped(br, len(head))), err
	}
	if whole {
		return st, nil, err
	}
	all, err := io.ReadAll(br)
	if err != nil {
		return st, nil, err
	}
	st, err = parse(string(all))
	return st, nil, err
}

func skipped(br *bufio.Reader, n int) io.Reader {
	_, _ = br.Discard(n) // Peek has read these bytes
	return br
}

// rowsIn returns the rows in the text of the statement. Blanks and at most one line break separate them from the name
// of the format: the next byte may be binary data.
func rowsIn(ins *insertion) string {
	if ins.format == "Values" {
		return strings.TrimRight(ins.data, "; \t\r\n\f") // a closing semicolon is not a row
	}
	data := strings.TrimLeft(ins.data, " \t\f")
	if after, ok := strings.CutPrefix(data, "\r\n"); ok {
		return after
	}
	return strings.TrimPrefix(data, "\n")
}

// settings divides the parameters of the request into settings and query parameters.
func (h *httpQuery) settings() ([]setting, []engine.Param) {
	var settings []setting
	var params []engine.Param
	for key, values := range h.form {
		value := values[len(values)-1]
		switch name, isParam := strings.CutPrefix(key, "param_"); {
		case isParam:
			params = append(params, engine.Param{Name: name, Value: value})
		case !reserved[key]:
			settings = append(settings, setting{key: key, value: quoteText(value), important: true})
		}
	}
	return settings, params
}

// format returns the format of the answer.
func (h *httpQuery) format(st *statement) string {
	for _, f := range []string{st.format, h.form.Get("default_format"), h.r.Header.Get("X-ClickHouse-Format")} {
		if f != "" {
			return f
		}
	}
	return "TabSeparated"
}

// streamed lists the formats whose documents can be concatenated. The engine makes all others in one piece.
var streamed = []string{ //nolint:gochecknoglobals // A table, or set once.
	"Native", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "JSONEachRow", "NDJSON", "JSONLines",
	"JSONCompactEachRow", "JSONStringsEachRow", "RowBinary", "RawBLOB", "LineAsString",
}

// answer runs a statement and writes its result.
func (h *httpQuery) answer(ses *session, st *statement, params []engine.Param) error {
	format := h.format(st)
	var convert *nativeAnswer
	if v, err := strconv.Atoi(h.form.Get("client_protocol_version")); format == "Native" && err == nil && v > 0 {
		convert = newNativeAnswer(revision(min(v, serverRevision)))
	}
	if st.kind != kindSelect || !slices.Contains(streamed, format) {
		res, err := ses.query(st.sql, format, params)
		if err != nil {
			return err
		}
		defer res.Close()
		return h.send(format, convert, res, true)
	}
	defer ses.running.Store(0)
	stream, err := ses.conn.Stream(ses.number(st.sql), format, params...)
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		res, err := stream.Next()
		if err != nil {
			return err
		}
		if res == nil {
			break
		}
		err = h.send(format, convert, res, false)
		res.Close()
		if err != nil {
			return err
		}
	}
	if convert != nil && !h.begun {
		stream.Close()
		header, err := describe(ses.conn, "("+st.sql+"\n)", params)
		if err != nil {
			return err
		}
		h.begin(format, nil)
		if _, err := h.body.Write(appendEmpty(nil, header, convert.walker.out)); err != nil {
			return err
		}
	}
	h.begin(format, nil)
	return h.finish()
}

// send writes a piece of a result; the last piece ends the answer.
func (h *httpQuery) send(format string, convert *nativeAnswer, res *engine.Result, last bool) error {
	h.begin(format, res)
	var err error
	if convert != nil {
		err = convert.write(h.body, res.Bytes())
	} else {
		_, err = h.body.Write(res.Bytes())
	}
	if err != nil || !last {
		return err
	}
	return h.finish()
}

// nativeAnswer converts blocks to the protocol revision of a client.
type nativeAnswer struct{ walker *walker }

func newNativeAnswer(v revision) *nativeAnswer {
	k := newWalker(0, v)
	k.r = bufio.NewReaderSize(nil, decodeBuffer)
	return &nativeAnswer{walker: k}
}

func (a *nativeAnswer) write(w io.Writer, native []byte) error {
	a.walker.r.Reset(bytes.NewReader(native))
	a.walker.w = w
	for {
		if _, err := a.walker.r.Peek(1); err != nil {
			return nil //nolint:nilerr // The end of the piece.
		}
		if _, _, err := a.walker.block(); err != nil {
			return err
		}
	}
}
