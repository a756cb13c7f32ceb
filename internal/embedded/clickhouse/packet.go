package clickhouse

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// Limits on the strings of a client's packets, because a length on the wire can be wrong.
const (
	maxField = 1 << 20   // names, settings
	maxQuery = 256 << 20 // a query's text, and the value of a parameter
)

// packetReader reads the fields of a client's packets. After the first error it reads nothing more and keeps the error,
// so that the code can list the fields of a packet. ch-go's reader is no alternative: it trusts every length.
type packetReader struct {
	r   *bufio.Reader
	err error
}

func (p *packetReader) uvarint() uint64 {
	if p.err != nil {
		return 0
	}
	var v uint64
	v, p.err = binary.ReadUvarint(p.r)
	return v
}

func (p *packetReader) byte() byte {
	if p.err != nil {
		return 0
	}
	var b byte
	b, p.err = p.r.ReadByte()
	return b
}

func (p *packetReader) skip(n int) {
	if p.err == nil {
		_, p.err = p.r.Discard(n)
	}
}

func (p *packetReader) str(limit uint64) string {
	n := p.uvarint()
	if p.err == nil && n > limit {
		p.err = fmt.Errorf("a string of %d bytes where %d is the limit", n, limit)
	}
	if p.err != nil {
		return ""
	}
	b := make([]byte, n)
	_, p.err = io.ReadFull(p.r, b)
	return string(b)
}

// hello is the first packet of a client.
type hello struct {
	revision                 int
	database, user, password string
}

func (p *packetReader) hello() (hello, error) {
	var h hello
	if code := p.uvarint(); p.err == nil && proto.ClientCode(code) != proto.ClientCodeHello {
		p.err = fmt.Errorf("packet %d instead of a hello", code)
	}
	p.str(maxField) // name and version of the client
	p.uvarint()
	p.uvarint()
	h.revision = int(min(p.uvarint(), 1<<30))
	h.database, h.user, h.password = p.str(maxField), p.str(maxField), p.str(maxField)
	return h, p.err
}

// packet is a query packet.
type packet struct {
	sql        string
	compressed bool
	settings   []setting
	params     []engine.Param
}

// Flags of a setting.
const (
	flagImportant = 1
	flagCustom    = 2
)

func (p *packetReader) query(v revision) (packet, error) {
	has := func(f proto.Feature) bool { return f.In(int(v)) }
	var q packet
	p.str(maxField) // the query's id
	p.clientInfo(has)
	for key := p.str(maxField); key != "" && p.err == nil; key = p.str(maxField) {
		flags, value := p.uvarint(), p.str(maxField)
		if flags&flagCustom == 0 { // the value of a custom setting is an SQL literal already
			value = quoteText(value)
		}
		q.settings = append(q.settings, setting{key: key, value: value, important: flags&flagImportant != 0})
	}
	if has(proto.FeatureInterServerSecret) {
		p.str(maxField)
	}
	p.uvarint() // the stage, which is always complete
	q.compressed = p.uvarint() == uint64(proto.CompressionEnabled)
	q.sql = p.str(maxQuery)
	if has(proto.FeatureParameters) {
		for key := p.str(maxField); key != "" && p.err == nil; key = p.str(maxField) {
			p.uvarint() // flags
			q.params = append(q.params, engine.Param{Name: key, Value: unquoteText(p.str(maxQuery))})
		}
	}
	return q, p.err
}

// clientInfo skips the description of the client that comes with every query.
func (p *packetReader) clientInfo(has func(proto.Feature) bool) {
	if kind := p.byte(); kind == byte(proto.ClientQueryNone) {
		return
	}
	p.str(maxField) // initial user, query id and address
	p.str(maxField)
	p.str(maxField)
	if has(proto.FeatureQueryStartTime) {
		p.skip(8)
	}
	if i := p.byte(); p.err == nil && i != byte(proto.InterfaceTCP) {
		p.err = fmt.Errorf("unexpected interface %d", i)
	}
	p.str(maxField) // system user, host, client
	p.str(maxField)
	p.str(maxField)
	p.uvarint() // version and revision
	p.uvarint()
	p.uvarint()
	p.str(maxField) // quota key
	if has(proto.FeatureDistributedDepth) {
		p.uvarint()
	}
	p.uvarint() // patch version
	if has(proto.FeatureOpenTelemetry) && p.byte() == 1 {
		p.skip(16 + 8) // trace and span
		p.str(maxField)
		p.byte()
	}
	if has(proto.FeatureParallelReplicas) {
		p.uvarint()
		p.uvarint()
		p.uvarint()
	}
}
