package clickhouse

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// sampleCache holds the columns of the last few insertions of a connection, because clients insert into the same tables
// all the time. Any statement that may have changed a table invalidates it.
type sampleCache struct {
	ddl     int64
	samples map[insertion][]columnHeader
}

// maxSamples bounds the cache of a connection.
const maxSamples = 64

// sample returns the columns of an insertion's rows.
func (n *nativeConn) sample(req *request) ([]columnHeader, error) {
	key := insertion{target: req.insert.target, columns: req.insert.columns}
	ddl := n.server.ddl.Load()
	if n.samples.samples == nil || n.samples.ddl != ddl || len(n.samples.samples) >= maxSamples {
		n.samples = sampleCache{ddl: ddl, samples: map[insertion][]columnHeader{}}
	}
	if header, ok := n.samples.samples[key]; ok && len(req.params) == 0 && !n.session.own {
		return header, nil
	}
	target := strings.TrimSpace(strings.TrimPrefix(key.target, "FUNCTION"))
	header, err := describe(n.session.conn, "(SELECT "+columnList(key.columns)+" FROM "+target+"\n)", req.params)
	if err == nil && len(req.params) == 0 {
		n.samples.samples[key] = header
	}
	return header, err
}

// insert spools the rows and makes the engine read them in one statement, so that blocks that arrive one by one are one
// insert with one token. Rows in the text of the statement go the same way: the engine's parser would end them at an
// empty line.
func (n *nativeConn) insert(req *request) error {
	if err := n.session.apply(nil); err != nil { // infile puts the settings of the insert into its text
		return err
	}
	defer n.spool.reset()
	ins := req.insert
	var rows int
	var err error
	if ins.inline() {
		rows = 1 // at least
		_, err = io.WriteString(&n.spool, rowsIn(&ins))
	} else {
		ins.format = "Native" // whatever the text says, because the client sends blocks
		rows, err = n.receive(req)
	}
	if err != nil {
		return err
	}
	if rows == 0 {
		return n.endOfStream(engine.Stats{})
	}
	path, err := n.spool.ready()
	if err != nil {
		return err
	}
	stop := n.watch()
	res, err := n.session.query(n.server.infile(&ins, req.settings, path), "Null", req.params)
	gone := stop()
	if err != nil {
		return err
	}
	defer res.Close()
	if gone {
		return nil
	}
	return n.endOfStream(res.Stats())
}

// receive sends the columns to the client and copies its blocks into the spool, up to the empty block at the end.
func (n *nativeConn) receive(req *request) (rows int, err error) {
	header, err := n.sample(req)
	if err != nil {
		return 0, err
	}
	if err := n.sendBlock(appendEmpty(n.result[:0], header, n.revision), req.compressed); err != nil {
		return 0, err
	}
	if err := n.flush(); err != nil {
		return 0, err
	}
	n.toEngine.w = &n.spool
	for {
		code := n.packet.uvarint()
		if n.packet.err != nil {
			return 0, n.packet.err
		}
		switch proto.ClientCode(code) {
		case proto.ClientCodeData:
		case proto.ClientCodeCancel:
			return 0, refuse(codeCancelled, "The insert was cancelled by the client")
		default:
			return 0, fmt.Errorf("unexpected packet %d in an insert", code)
		}
		r, columns, err := n.readBlock(n.toEngine, req.compressed)
		if err != nil {
			// The end of the block is unknown, so the connection can't be used any more: send the reason and close.
			return 0, errors.Join(err, n.exception(fmt.Errorf("insert into %s: %w", req.insert.target, err)))
		}
		if columns == 0 || r == 0 {
			return rows, nil
		}
		rows += r
	}
}

// readBlock reads a data packet after its code, through a walker.
func (n *nativeConn) readBlock(k *walker, compressed bool) (rows, columns int, err error) {
	if n.packet.str(maxField); n.packet.err != nil { // the name of a temporary table
		return 0, 0, n.packet.err
	}
	k.r = n.raw
	if compressed {
		if n.blocks == nil {
			n.blocks = bufio.NewReaderSize(compress.NewReader(n.raw), decodeBuffer)
		}
		k.r = n.blocks
	}
	k.err = nil
	return k.block()
}

// skipExternal reads the external tables after a query packet, up to the empty block at the end. It reports whether
// there were any.
func (n *nativeConn) skipExternal(compressed bool) (any bool, err error) {
	k := newWalker(n.revision, 0)
	k.w = io.Discard
	for {
		code := n.packet.uvarint()
		if n.packet.err != nil {
			return any, n.packet.err
		}
		if proto.ClientCode(code) != proto.ClientCodeData {
			return any, fmt.Errorf("unexpected packet %d after a query", code)
		}
		_, columns, err := n.readBlock(k, compressed)
		if err != nil || columns == 0 {
			return any, err
		}
		any = true
	}
}
