package events

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Record holds the parts of a Kafka record that belong to the contract: its offset and its partition do not.
type Record struct {
	// Key is the shipment id; nil in a record that voids decisions.
	Key []byte
	// Timestamp is when the ledger recorded it, in milliseconds.
	Timestamp time.Time
	Headers   []Header
	// Value is the body, in Protobuf.
	Value []byte
}

// Header is one header of a Kafka record. Its fields are those of kgo.RecordHeader, so that values convert without a
// copy.
type Header struct {
	Key   string
	Value []byte
}

// Hash is a link of a lane's chain, or the digest of an input.
type Hash = [sha256.Size]byte

// The headers of a record. The chain covers all of them except traceparent and the chain hash itself. No header repeats
// what the key, the timestamp or another header says; see Envelope.
const (
	HeaderAuthID         = "ce_authid"
	HeaderAuthType       = "ce_authtype"
	HeaderCausationID    = "ce_causationid"
	HeaderChainHash      = "ce_chainhash"
	HeaderCorrelationID  = "ce_correlationid"
	HeaderDataSchema     = "ce_dataschema"
	HeaderDecidedAt      = "ce_decidedat"
	HeaderDecisionEvent  = "ce_decisionevent"
	HeaderDecisionEvents = "ce_decisionevents"
	HeaderDecisionRow    = "ce_decisionrow"
	HeaderDecisionSeq    = "ce_decisionseq"
	HeaderHistory        = "ce_history"
	HeaderID             = "ce_id"
	HeaderInboxOffset    = "ce_inboxoffset"
	HeaderInputHash      = "ce_inputhash"
	HeaderInputKey       = "ce_inputkey"
	HeaderInputType      = "ce_inputtype"
	HeaderLaneSeq        = "ce_laneseq"
	HeaderLocationID     = "ce_locationid"
	HeaderSellerID       = "ce_sellerid"
	HeaderSource         = "ce_source"
	HeaderSpecVersion    = "ce_specversion"
	HeaderSubject        = "ce_subject" // Of SUBORDER messages; an event's subject is its key.
	HeaderTime           = "ce_time"
	HeaderType           = "ce_type"
	HeaderContentType    = "content-type"
	HeaderTraceParent    = "traceparent"
)

// Values of headers that are the same in every record.
const (
	SpecVersion = "1.0"
	ContentType = "application/protobuf"
	// DataSchema is where the Protobuf package of the bodies is. CloudEvents needs an absolute URI without a fragment.
	DataSchema = "https://github.com/orderledger/orderledger/tree/main/schemas/proto/orderledger/v1"
	// Source is the default ce_source. The name of a cluster is appended to it.
	Source = "/orderledger"
	// True is the value of a flag that is set; a flag that is not set has no header.
	True = "true"
)

// AuthSeller is the AuthType of what a seller caused.
const AuthSeller = "seller"

// TimeFormat is how envelopes write times: RFC 3339, UTC, milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000Z07:00"

// NoInboxOffset is the InboxOffset of records whose input did not pass the inbox.
const NoInboxOffset int64 = -1

// Envelope holds what key, timestamp and headers of an event or a decision say: its identity, sequence, times and
// causes. DecodeDecision adds to the envelope of a decision what only its body says.
type Envelope struct {
	// ID is unique in the ledger: shipment id and version for an event, see EventID; lane and sequence for a decision.
	ID string
	// Type is the ce_type, such as orders.ShipmentCreated.v1.
	Type string
	// Source is the cluster that recorded the event.
	Source string
	// ShipmentID is the record's key.
	ShipmentID string
	// Version is the event's dense number in its shipment, from 1, which ID ends with; 0 in a decision.
	Version uint64
	// LaneSeq is the record's dense number in its lane and topic, from 1.
	LaneSeq uint64
	// SellerID and LocationID say whose shipment it is.
	SellerID, LocationID string
	// OccurredAt is the reported time of the event. A header says it if it is not DecidedAt.
	OccurredAt time.Time
	// DecidedAt is the clock's time at the decision. A header says it if it is not RecordedAt, which a clock that ran
	// ahead may have driven into the future.
	DecidedAt time.Time
	// RecordedAt is the record's timestamp. It never goes backward in a lane.
	RecordedAt time.Time
	// AuthType and AuthID name who caused the event: "seller" and its id, "marketplace", or "system" (the ledger itself).
	// A seller that causes an event of its own shipment has no header for its id.
	AuthType, AuthID string
	// CorrelationID names everything that belongs together, CausationID the direct cause; either may be empty. The cause
	// of what a notification caused is its inbox record, see InboxOffset.
	CorrelationID, CausationID string
	// History says that the shipment was imported as history, so that nobody acts upon it.
	History bool
	// DecisionEvents is how many events the decision produced, and DecisionEvent which of them this one is, from 1. An
	// event has no headers for them if it is the only one.
	DecisionEvents, DecisionEvent int

	// The rest is in the first event of a decision, and in the decision itself.

	// InputType is the kind of input: notification.shipment_created, command.cancel and so on.
	InputType string
	// InputKey is the idempotency key or natural key of the input; InputHash the SHA-256 of the input.
	InputKey  string
	InputHash Hash
	// InboxOffset is the input's offset in the lane's inbox partition, or NoInboxOffset.
	InboxOffset int64
	// DecisionSeq is the LaneSeq of the decision.
	DecisionSeq uint64
	// DecisionRow says that the decision holds more than its events do: it has a reason or a message, or had waited.
	DecisionRow bool

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
	return decisionPrefix + strconv.Itoa(int(lane)) + "/" + strconv.FormatUint(seq, 10)
}

const decisionPrefix = "decision/"

// ofDecisions reports whether a type is one of TopicDecisions. The bodies of these say more than those of events.
func ofDecisions(ceType string) bool { return ceType == TypeDecision || ceType == TypeDecisionsVoided }

// AppendHeaders appends the headers of e to dst in the chain's canonical order (sorted by key), without the chain hash
// and without traceparent. Link them with Chain.Next, then append the rest with AppendUnchained. Key and timestamp of
// the record are ShipmentID and RecordedAt.
func (e *Envelope) AppendHeaders(dst []Header) []Header {
	text := func(key, value string) {
		if value != "" {
			dst = append(dst, Header{key, []byte(value)})
		}
	}
	number := func(key string, n uint64) {
		dst = append(dst, Header{key, strconv.AppendUint(nil, n, 10)})
	}
	flag := func(key string, set bool) {
		if set {
			text(key, True)
		}
	}
	at := func(key string, t, other time.Time) {
		if !t.IsZero() && t.UnixMilli() != other.UnixMilli() {
			dst = append(dst, Header{key, t.UTC().AppendFormat(nil, TimeFormat)})
		}
	}
	event := !ofDecisions(e.Type)
	first := event && e.DecisionEvent <= 1
	if e.AuthType != AuthSeller || e.AuthID != e.SellerID {
		text(HeaderAuthID, e.AuthID)
	}
	text(HeaderAuthType, e.AuthType)
	text(HeaderCausationID, e.CausationID)
	text(HeaderCorrelationID, e.CorrelationID)
	text(HeaderDataSchema, DataSchema)
	if event {
		at(HeaderDecidedAt, e.DecidedAt, e.RecordedAt)
		if e.DecisionEvents > 1 {
			number(HeaderDecisionEvent, uint64(e.DecisionEvent))
			number(HeaderDecisionEvents, uint64(e.DecisionEvents))
		}
	}
	if first {
		flag(HeaderDecisionRow, e.DecisionRow)
		if e.DecisionSeq > 0 {
			number(HeaderDecisionSeq, e.DecisionSeq)
		}
	}
	if event {
		flag(HeaderHistory, e.History)
	}
	text(HeaderID, e.ID)
	if first {
		if e.InboxOffset >= 0 {
			number(HeaderInboxOffset, uint64(e.InboxOffset))
		}
		if e.InputHash != (Hash{}) {
			dst = append(dst, Header{HeaderInputHash, base64.StdEncoding.AppendEncode(nil, e.InputHash[:])})
		}
		text(HeaderInputKey, e.InputKey)
		text(HeaderInputType, e.InputType)
	}
	number(HeaderLaneSeq, e.LaneSeq)
	if event {
		text(HeaderLocationID, e.LocationID)
		text(HeaderSellerID, e.SellerID)
	}
	text(HeaderSource, e.Source)
	text(HeaderSpecVersion, SpecVersion)
	if event {
		at(HeaderTime, e.OccurredAt, cmp.Or(e.DecidedAt, e.RecordedAt))
	}
	text(HeaderType, e.Type)
	text(HeaderContentType, ContentType)
	return dst
}

// AppendUnchained appends the headers that the chain does not cover: the chain hash and the trace context.
func (e *Envelope) AppendUnchained(dst []Header) []Header {
	dst = append(dst, Header{HeaderChainHash, base64.StdEncoding.AppendEncode(nil, e.ChainHash[:])})
	if e.TraceParent != "" {
		dst = append(dst, Header{HeaderTraceParent, []byte(e.TraceParent)})
	}
	return dst
}

// DecodeEnvelope reads the key, the timestamp and the headers of a record. Unknown headers are skipped. An error wraps
// ErrUndecodable and names every header that is missing or malformed.
func DecodeEnvelope(r *Record) (Envelope, error) {
	e := Envelope{InboxOffset: NoInboxOffset, ShipmentID: string(r.Key), RecordedAt: recordedAt(r.Timestamp)}
	var errs []error
	bad := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("header %s: %w", key, err))
		}
	}
	number := func(key string, v []byte) int64 {
		var n uint64
		bad(key, parseUint(v, &n))
		return int64(n)
	}
	for i := range r.Headers {
		v := r.Headers[i].Value
		switch key := r.Headers[i].Key; key {
		case HeaderID:
			e.ID = string(v)
		case HeaderType:
			e.Type = typeString(v)
		case HeaderSource:
			e.Source = string(v)
		case HeaderSellerID:
			e.SellerID = string(v)
		case HeaderLocationID:
			e.LocationID = string(v)
		case HeaderAuthType:
			e.AuthType = string(v)
		case HeaderAuthID:
			e.AuthID = string(v)
		case HeaderCorrelationID:
			e.CorrelationID = string(v)
		case HeaderCausationID:
			e.CausationID = string(v)
		case HeaderHistory:
			e.History = string(v) == True
		case HeaderDecisionEvent:
			e.DecisionEvent = int(number(key, v))
		case HeaderDecisionEvents:
			e.DecisionEvents = int(number(key, v))
		case HeaderDecisionRow:
			e.DecisionRow = string(v) == True
		case HeaderDecisionSeq:
			bad(key, parseUint(v, &e.DecisionSeq))
		case HeaderInputType:
			e.InputType = string(v)
		case HeaderInputKey:
			e.InputKey = string(v)
		case HeaderInboxOffset:
			e.InboxOffset = number(key, v)
		case HeaderInputHash:
			bad(key, parseHash(v, &e.InputHash))
		case HeaderTraceParent:
			e.TraceParent = string(v)
		case HeaderLaneSeq:
			bad(key, parseUint(v, &e.LaneSeq))
		case HeaderTime:
			bad(key, parseTime(v, &e.OccurredAt))
		case HeaderDecidedAt:
			bad(key, parseTime(v, &e.DecidedAt))
		case HeaderChainHash:
			bad(key, parseHash(v, &e.ChainHash))
		}
	}
	switch {
	case e.Type == "":
		errs = append(errs, fmt.Errorf("header %s: missing", HeaderType))
	case e.ID == "":
		errs = append(errs, fmt.Errorf("header %s: missing", HeaderID))
	case !ofDecisions(e.Type):
		var ok bool
		if e.Version, ok = versionOf([]byte(e.ID), r.Key); !ok {
			errs = append(errs, fmt.Errorf("header %s: not the key and a version", HeaderID))
		}
	}
	e.complete()
	if len(errs) > 0 {
		return e, fmt.Errorf("%w: %w", ErrUndecodable, errors.Join(errs...))
	}
	return e, nil
}

// complete fills in what absent headers mean.
func (e *Envelope) complete() {
	if e.AuthType == AuthSeller && e.AuthID == "" {
		e.AuthID = e.SellerID
	}
	if e.DecidedAt.IsZero() {
		e.DecidedAt = e.RecordedAt
	}
	if e.OccurredAt.IsZero() {
		e.OccurredAt = e.DecidedAt
	}
	if !ofDecisions(e.Type) && e.DecisionEvents == 0 {
		e.DecisionEvents, e.DecisionEvent = 1, 1
	}
}

// ReadDecision fills in what only the body of a decision says. DecodeDecision calls it; a reader that decodes the body
// itself has to.
func (e *Envelope) ReadDecision(d *ledgerv1.Decision) {
	e.SellerID, e.InputType, e.InputKey = d.GetSellerId(), d.GetInputType(), d.GetInputKey()
	copy(e.InputHash[:], d.GetInputHash())
	if d.InboxOffset != nil {
		e.InboxOffset = d.GetInboxOffset()
	}
	if e.AuthType == AuthSeller && e.AuthID == "" {
		e.AuthID = e.SellerID
	}
	if t := d.GetDecidedAt(); t.IsValid() {
		e.DecidedAt = t.AsTime()
	}
	e.OccurredAt = e.DecidedAt
	if t := d.GetOccurredAt(); t.IsValid() {
		e.OccurredAt = t.AsTime()
	}
	e.DecisionSeq, e.History = e.LaneSeq, d.GetHistory()
	if first := d.GetFirstVersion(); first > 0 && d.GetLastVersion() >= first {
		e.DecisionEvents = int(d.GetLastVersion() - first + 1)
	}
}

// versionOf returns the version in the id of an event; false if the id does not begin with the record's key.
func versionOf(id, key []byte) (version uint64, ok bool) {
	rest, ok := bytes.CutPrefix(id, key)
	if !ok || len(key) == 0 || len(rest) < 2 || rest[0] != '/' {
		return 0, false
	}
	return version, parseUint(rest[1:], &version) == nil && version > 0
}

// recordedAt is a timestamp as Kafka keeps it.
func recordedAt(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }

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
	// A Hash has room for 32 bytes, and Decode may write up to 33 for 44 characters without padding.
	var b [base64Hash / 4 * 3]byte
	if len(v) != base64Hash {
		return errHash
	}
	if n, err := base64.StdEncoding.Decode(b[:], v); err != nil || n != len(h) {
		return errHash
	}
	copy(h[:], b[:])
	return nil
}

// base64Hash is the length of a hash as a header: CloudEvents writes binary values in Base64 with padding.
const base64Hash = 44

var errHash = errors.New("not 32 bytes in Base64")
