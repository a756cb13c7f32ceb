package clickhouse

import (
	"bufio"
	"bytes"
	"errors"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// request is a parsed query packet.
type request struct {
	packet
	statement
}

// query serves one query packet. It returns errors of the connection only; those of the engine go to the client.
func (n *nativeConn) query() error {
	q, err := n.packet.query(n.revision)
	if err != nil {
		return err
	}
	req := request{packet: q}
	external, err := n.skipExternal(req.compressed)
	if err != nil {
		return err
	}
	if external {
		return n.exception(refuse(codeNotImplemented, "External tables are not supported by the embedded server"))
	}
	req.statement, err = parse(q.sql)
	if err == nil {
		err = n.run(&req)
	}
	// Counted before the answer, so that a client that reads the metrics after its answer finds the query.
	n.server.metrics.served("native", req.kind, err)
	if err == nil {
		return n.answered()
	}
	var refused *engine.Error
	if errors.As(err, &refused) {
		return n.exception(err)
	}
	return err
}

// run runs a statement and answers. A refusal is returned; query answers it with an exception.
func (n *nativeConn) run(req *request) error {
	if req.kind == kindInsert {
		return n.insert(req)
	}
	if err := n.session.apply(req.settings); err != nil {
		return err
	}
	stop := n.watch()
	var stats engine.Stats
	var err error
	if req.kind == kindSelect {
		stats, err = n.sendStream(req)
	} else {
		stats, err = n.sendResult(req)
	}
	if gone := stop(); gone {
		return errors.Join(err, errors.New("the client went away"))
	}
	if err != nil {
		return err
	}
	switch req.kind {
	case kindSession:
		n.session.own = true
	case kindCommand:
		n.server.ddl.Add(1)
	default:
	}
	return n.endOfStream(stats)
}

func (n *nativeConn) sendStream(req *request) (engine.Stats, error) {
	var stats engine.Stats
	defer n.session.running.Store(0)
	stream, err := n.session.conn.Stream(n.session.number(req.statement.sql), "Native", req.params...)
	if err != nil {
		return stats, err
	}
	defer stream.Close()
	sent := false
	for {
		res, err := stream.Next()
		if err != nil {
			return stats, err
		}
		if res == nil {
			break
		}
		piece := res.Stats()
		stats.ReadRows, stats.ReadBytes = max(stats.ReadRows, piece.ReadRows), max(stats.ReadBytes, piece.ReadBytes)
		err = n.sendBlocks(res.Bytes(), req.compressed, &sent)
		res.Close()
		if err != nil {
			return stats, err
		}
	}
	if sent {
		return stats, nil
	}
	// Without rows the engine returns nothing at all, but a client needs the columns.
	stream.Close()
	header, err := describe(n.session.conn, "("+req.statement.sql+"\n)", req.params)
	if err != nil {
		return stats, err
	}
	return stats, n.sendBlock(appendEmpty(n.result[:0], header, n.revision), req.compressed)
}

// sendResult runs a statement that has a small result or none.
func (n *nativeConn) sendResult(req *request) (engine.Stats, error) {
	res, err := n.session.query(req.statement.sql, "Native", req.params)
	if err != nil {
		return engine.Stats{}, err
	}
	defer res.Close()
	sent := false
	if err := n.sendBlocks(res.Bytes(), req.compressed, &sent); err != nil {
		return res.Stats(), err
	}
	if sent || req.kind != kindShow {
		return res.Stats(), nil
	}
	// DESCRIBE does not accept a SHOW statement, so another format supplies the columns.
	head, err := rowsOf(n.session.conn, req.statement.sql+"\nFORMAT TSVWithNamesAndTypes", req.params...)
	if err != nil || len(head) < 2 || len(head[0]) != len(head[1]) {
		return res.Stats(), err
	}
	var header []columnHeader
	for i, name := range head[0] {
		header = append(header, columnHeader{name, head[1][i]})
	}
	return res.Stats(), n.sendBlock(appendEmpty(n.result[:0], header, n.revision), req.compressed)
}

// sendBlocks sends the blocks of a piece of a result. It sends one without rows before the first, as a server does:
// some clients read the columns from it.
func (n *nativeConn) sendBlocks(native []byte, compressed bool, sent *bool) error {
	if len(native) == 0 {
		return nil
	}
	k := n.toClient
	if k.r == nil {
		k.r = bufio.NewReaderSize(nil, decodeBuffer)
	}
	k.r.Reset(bytes.NewReader(native))
	for {
		if _, err := k.r.Peek(1); err != nil {
			return nil //nolint:nilerr // The end of the piece.
		}
		var header []columnHeader
		if !*sent {
			k.header = &header
		}
		body := bytes.NewBuffer(n.result[:0])
		k.w = body
		rows, _, err := k.block()
		k.header = nil
		n.result = body.Bytes()
		if err != nil {
			return refuse(codeNotImplemented, "The result can't be sent: %v", err)
		}
		if !*sent {
			*sent = true
			if err := n.sendBlock(appendEmpty(nil, header, n.revision), compressed); err != nil {
				return err
			}
		}
		if rows > 0 {
			if err := n.sendBlock(n.result, compressed); err != nil {
				return err
			}
		}
	}
}

// Sizes of writes to the client.
const (
	frameSize   = 1 << 20 // of data in one compressed frame
	flushSize   = 1 << 20
	keptBuffers = 8 << 20 // larger buffers are freed after the query
)

// sendBlock sends a data packet.
func (n *nativeConn) sendBlock(block []byte, compressed bool) error {
	proto.ServerCodeData.Encode(&n.out)
	n.out.PutString("") // the name of a temporary table
	if !compressed {
		n.out.Buf = append(n.out.Buf, block...)
	} else {
		if n.compressor == nil {
			n.compressor = compress.NewWriter(compress.LevelZero, compress.LZ4)
		}
		for len(block) > 0 {
			frame := block[:min(len(block), frameSize)]
			if err := n.compressor.Compress(frame); err != nil {
				return err
			}
			n.out.Buf = append(n.out.Buf, n.compressor.Data...)
			block = block[len(frame):]
		}
	}
	if len(n.out.Buf) >= flushSize {
		return n.flush()
	}
	return nil
}

func (n *nativeConn) endOfStream(stats engine.Stats) error {
	proto.ServerCodeProgress.Encode(&n.out)
	proto.Progress{
		Rows: stats.ReadRows, Bytes: stats.ReadBytes, WroteRows: stats.WrittenRows, WroteBytes: stats.WrittenBytes,
	}.EncodeAware(&n.out, int(n.revision))
	proto.ServerCodeEndOfStream.Encode(&n.out)
	n.server.metrics.rows.Add(float64(stats.WrittenRows))
	return nil
}

// answered sends the end of an answer and frees large buffers.
func (n *nativeConn) answered() error {
	if err := n.flush(); err != nil {
		return err
	}
	if cap(n.out.Buf) > keptBuffers {
		n.out.Buf = nil
	}
	if cap(n.result) > keptBuffers {
		n.result = nil
	}
	return nil
}

// describe asks the engine for the columns of a query, which is in parentheses.
func describe(conn *engine.Conn, query string, params []engine.Param) ([]columnHeader, error) {
	// Clients can't parse the line breaks in the pretty names of types.
	rows, err := rowsOf(conn, "DESCRIBE TABLE "+query+" SETTINGS print_pretty_type_names = 0", params...)
	if err != nil {
		return nil, err
	}
	header := make([]columnHeader, 0, len(rows))
	for _, r := range rows {
		if len(r) > 1 {
			header = append(header, columnHeader{r[0], r[1]})
		}
	}
	return header, nil
}

// columnList returns the SELECT list for the columns of an insertion.
func columnList(columns string) string {
	inner := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(columns, "("), ")"))
	if inner == "" {
		return "*"
	}
	return inner
}
