package events

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Header is one header of a Kafka record. Its fields are those of kgo.RecordHeader, so that values convert without a
// copy.
type Header struct {
	Key   string
	Value []byte
}

// Hash is a link of a lane's chain, or the digest of an input.
type Hash = [sha256.Size]byte

// The headers of a record. The chain covers all of them except traceparent and the chain hash itself.
const (
	HeaderAuthID        = "ce_authid"
	HeaderAuthType      = "ce_authtype"
	HeaderCausationID   = "ce_causationid"
	HeaderChainHash     = "ce_chainhash"
	HeaderCorrelationID = "ce_correlationid"
	HeaderDataSchema    = "ce_dataschema"
	HeaderID            = "ce_id"
	HeaderInboxOffset   = "ce_inboxoffset"
	HeaderInputHash     = "ce_inputhash"
	HeaderInputKey      = "ce_inputkey"
	HeaderLaneSeq       = "ce_laneseq"
	HeaderRecordedTime  = "ce_recordedtime"
	HeaderSource        = "ce_source"
	HeaderSpecVersion   = "ce_specversion"
	HeaderSubject       = "ce_subject"
	HeaderTime          = "ce_time"
	HeaderType          = "ce_type"
	HeaderVersion       = "ce_shipmentversion"
	HeaderContentType   = "content-type"
	HeaderTraceParent   = "traceparent"
)

// Values of headers that are the same in every record.
const (
	SpecVersion = "1.0"
	ContentType = "application/protobuf"
	// DataSchema names the Protobuf package of the bodies.
	DataSchema = "orderledger.v1"
	// Source is the default ce_source. The name of a cluster is appended to it.
	Source = "/orderledger"
)

// TimeFormat is how envelopes write times: RFC 3339, UTC, milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000Z07:00"

// NoInboxOffset is the InboxOffset of records whose input did not pass the inbox.
const NoInboxOffset int64 = -1

// Envelope holds the headers of an event or a decision: its identity, sequence, times and causes.
type Envelope struct {
	// ID is unique in the ledger: shipment id and version for an event, see EventID; lane and sequence for a decision.
	ID string
	// Type is the ce_type, such as orders.ShipmentCreated.v1.
	Type string
	// Source is the cluster that recorded the event.
	Source string
	// ShipmentID is also the record's key.
	ShipmentID string
	// Version is the event's dense number in its shipment, from 1; 0 in a decision.
	Version uint64
	// LaneSeq is the record's dense number in its lane and topic, from 1.
	LaneSeq uint64
	// OccurredAt is the reported time of the event.
	OccurredAt time.Time
	// RecordedAt is when the ledger wrote the event. It never goes backward in a lane.
	RecordedAt time.Time
	// AuthType and AuthID name who caused the event: "seller" and its id, "marketplace", or "system" (the ledger itself).
	AuthType, AuthID string
	// CorrelationID names everything that belongs together, CausationID the direct cause; either may be empty.
	CorrelationID, CausationID string
	// InputKey is the idempotency key or natural key of the input; InputHash the SHA-256 of the input.
	InputKey  string
	InputHash Hash
	// InboxOffset is the input's offset in the lane's inbox partition, or NoInboxOffset.
	InboxOffset int64
	// TraceParent is the W3C trace context as received. The chain does not cover it.
	TraceParent string
	// ChainHash links the record to the one before it in its lane and topic.
	ChainHash Hash
}

// EventID returns the id of an event. It follows from the arguments, so that anybody can compute it.
func EventID(shipmentID string, version uint64) string {
	return shipmentID + "/" + strconv.FormatUint(version, 10)
}

// DecisionID returns the id of a decision.
func DecisionID(lane int32, seq uint64) string {
	return "decision/" + strconv.Itoa(int(lane)) + "/" + strconv.FormatUint(seq, 10)
}

// AppendHeaders appends the headers of e to dst in the chain's canonical order (sorted by key), without the chain hash
// and without traceparent. Link them with Chain.Next, then append the rest with AppendUnchained.
func (e *Envelope) AppendHeaders(dst []Header) []Header {
	text := func(key, value string) {
		if value != "" {
			dst = append(dst, Header{key, []byte(value)})
		}
	}
	number := func(key string, n uint64) {
		dst = append(dst, Header{key, strconv.AppendUint(nil, n, 10)})
	}
	text(HeaderAuthID, e.AuthID)
	text(HeaderAuthType, e.AuthType)
	text(HeaderCausationID, e.CausationID)
	text(HeaderCorrelationID, e.CorrelationID)
	text(HeaderDataSchema, DataSchema)
	text(HeaderID, e.ID)
	if e.InboxOffset >= 0 {
		number(HeaderInboxOffset, uint64(e.InboxOffset))
	}
	if e.InputHash != (Hash{}) {
		dst = append(dst, Header{HeaderInputHash, hex.AppendEncode(nil, e.InputHash[:])})
	}
	text(HeaderInputKey, e.InputKey)
	number(HeaderLaneSeq, e.LaneSeq)
	dst = append(dst, Header{HeaderRecordedTime, e.RecordedAt.UTC().AppendFormat(nil, TimeFormat)})
	if e.Version > 0 {
		number(HeaderVersion, e.Version)
	}
	text(HeaderSource, e.Source)
	text(HeaderSpecVersion, SpecVersion)
	text(HeaderSubject, e.ShipmentID)
	if !e.OccurredAt.IsZero() {
		dst = append(dst, Header{HeaderTime, e.OccurredAt.UTC().AppendFormat(nil, TimeFormat)})
	}
	text(HeaderType, e.Type)
	text(HeaderContentType, ContentType)
	return dst
}

// AppendUnchained appends the headers that the chain does not cover: the chain hash and the trace context.
func (e *Envelope) AppendUnchained(dst []Header) []Header {
	dst = append(dst, Header{HeaderChainHash, hex.AppendEncode(nil, e.ChainHash[:])})
	if e.TraceParent != "" {
		dst = append(dst, Header{HeaderTraceParent, []byte(e.TraceParent)})
	}
	return dst
}

// DecodeEnvelope reads the headers of a record. Unknown headers are skipped. An error wraps ErrUndecodable and names
// every header that is missing or malformed.
func DecodeEnvelope(headers []Header) (Envelope, error) {
	e := Envelope{InboxOffset: NoInboxOffset}
	var errs []error
	bad := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("header %s: %w", key, err))
		}
	}
	for i := range headers {
		v := headers[i].Value
		switch key := headers[i].Key; key {
		case HeaderID:
			e.ID = string(v)
		case HeaderType:
			e.Type = typeString(v)
		case HeaderSource:
			e.Source = string(v)
		case HeaderSubject:
			e.ShipmentID = string(v)
		case HeaderAuthType:
			e.AuthType = string(v)
		case HeaderAuthID:
			e.AuthID = string(v)
		case HeaderCorrelationID:
			e.CorrelationID = string(v)
		case HeaderCausationID:
			e.CausationID = string(v)
		case HeaderInputKey:
			e.InputKey = string(v)
		case HeaderTraceParent:
			e.TraceParent = string(v)
		case HeaderVersion:
			bad(key, parseUint(v, &e.Version))
		case HeaderLaneSeq:
			bad(key, parseUint(v, &e.LaneSeq))
		case HeaderInboxOffset:
			var n uint64
			bad(key, parseUint(v, &n))
			e.InboxOffset = int64(n)
		case HeaderTime:
			bad(key, parseTime(v, &e.OccurredAt))
		case HeaderRecordedTime:
			bad(key, parseTime(v, &e.RecordedAt))
		case HeaderInputHash:
			bad(key, parseHash(v, &e.InputHash))
		case HeaderChainHash:
			bad(key, parseHash(v, &e.ChainHash))
		}
	}
	switch {
	case e.Type == "":
		errs = append(errs, fmt.Errorf("header %s: missing", HeaderType))
	case e.ID == "":
		errs = append(errs, fmt.Errorf("header %s: missing", HeaderID))
	case e.RecordedAt.IsZero():
		errs = append(errs, fmt.Errorf("header %s: missing", HeaderRecordedTime))
	}
	if len(errs) > 0 {
		return e, fmt.Errorf("%w: %w", ErrUndecodable, errors.Join(errs...))
	}
	return e, nil
}

var errNumber = errors.New("not a decimal number of 63 bits")

func parseUint(v []byte, n *uint64) error {
	if len(v) == 0 || len(v) > 19 {
		return errNumber
	}
	*n = 0
	for _, c := range v {
		if c < '0' || c > '9' {
			return errNumber
		}
		*n = *n*10 + uint64(c-'0')
	}
	if *n > 1<<63-1 {
		return errNumber
	}
	return nil
}

func parseTime(v []byte, t *time.Time) error {
	if fast, ok := parseEnvelopeTime(v); ok {
		*t = fast
		return nil
	}
	parsed, err := time.Parse(time.RFC3339Nano, string(v))
	if err != nil {
		return errors.New("not an RFC 3339 time")
	}
	*t = parsed.UTC()
	return nil
}

// parseEnvelopeTime reads exactly TimeFormat in UTC without allocating. Every envelope of the ledger has that form;
// parseTime reads all others with the time package.
func parseEnvelopeTime(v []byte) (time.Time, bool) {
	const form = "0000-00-00T00:00:00.000Z"
	if len(v) != len(form) {
		return time.Time{}, false
	}
	for i := range v {
		if digit := v[i] >= '0' && v[i] <= '9'; digit != (form[i] == '0') || !digit && v[i] != form[i] {
			return time.Time{}, false
		}
	}
	number := func(from, to int) (n int) {
		for _, c := range v[from:to] {
			n = n*10 + int(c-'0')
		}
		return n
	}
	month, day := number(5, 7), number(8, 10)
	hour, minute, second := number(11, 13), number(14, 16), number(17, 19)
	// Days above 28 depend on the month, and a wrong one must be an error, not the next month's first.
	if month < 1 || month > 12 || day < 1 || day > 28 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	return time.Date(number(0, 4), time.Month(month), day, hour, minute, second, number(20, 23)*1e6, time.UTC), true
}

func parseHash(v []byte, h *Hash) error {
	if len(v) != hex.EncodedLen(len(h)) {
		return errors.New("not 64 hexadecimal digits")
	}
	if _, err := hex.Decode(h[:], v); err != nil {
		return errors.New("not 64 hexadecimal digits")
	}
	return nil
}
