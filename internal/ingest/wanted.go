package ingest

import (
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/orderledger/orderledger/events"
)

// interest is what a worker that reads the ledger wants of it: types of events, each with the path of field numbers of
// what it must hold to mean something; an empty path for all of a type.
type interest map[string][]protowire.Number

// The events of which aliasesOf makes aliases, and those that may ask for documents, as packingAsked reads them.
var (
	aliasInterest = interest{ //nolint:gochecknoglobals // A table.
		events.TypeReturnCreated: nil, events.TypeServiceActivated: nil, events.TypeTechVisitRequested: nil,
		events.TypeShipmentCreated: {2, 18}, // Event.after.services
	}
	packingInterest = interest{ //nolint:gochecknoglobals // A table.
		events.TypeLabelsRequested: nil, events.TypeFormAcknowledged: nil,
		events.TypeItemsCancelled: {24, 3}, // Event.items_cancelled.revision
	}
)

// wants returns what the worker hands to pubsub.Config.Filter. Most events mean nothing to it, and decoding one takes as
// long as deciding it. An event of a type that is not in the catalogue is wanted, so that it is noticed.
func (i interest) wants() func(*kgo.Record) bool {
	known := map[string]bool{}
	for _, ceType := range events.Types() {
		known[ceType] = true
	}
	return func(rec *kgo.Record) bool {
		if rec.Attrs.IsControl() {
			return false // The end of a transaction: it only moves the position.
		}
		for h := range rec.Headers {
			if rec.Headers[h].Key != events.HeaderType {
				continue
			}
			path, wanted := i[string(rec.Headers[h].Value)]
			if !wanted {
				return !known[string(rec.Headers[h].Value)]
			}
			return holds(rec.Value, path)
		}
		return true
	}
}

// holds tells whether an encoded message has a field at the end of a path, or can't be read: then somebody has to look.
func holds(message []byte, path []protowire.Number) bool {
	if len(path) == 0 {
		return true
	}
	for len(message) > 0 {
		num, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return true
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(num, typ, message); n < 0 {
			return true
		}
		switch {
		case num != path[0]:
		case len(path) == 1:
			return true
		case typ == protowire.BytesType:
			if field, _ := protowire.ConsumeBytes(message[:n]); holds(field, path[1:]) {
				return true
			}
		}
		message = message[n:]
	}
	return false
}
