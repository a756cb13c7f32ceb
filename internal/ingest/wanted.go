package ingest

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// wants returns what a worker that reads the ledger hands to pubsub.Config.Wants: the events of these types, told by their
// headers. Most events mean nothing to a worker, and decoding one takes as long as deciding it. An event of a type that is
// not in the catalogue is wanted, so that it is noticed.
func wants(types ...string) func(*kgo.Record) bool {
	passed := map[string]bool{}
	for _, known := range events.Types() {
		passed[known] = !slices.Contains(types, known)
	}
	return func(rec *kgo.Record) bool {
		if rec.Attrs.IsControl() {
			return false // The end of a transaction: it only moves the position.
		}
		for i := range rec.Headers {
			if rec.Headers[i].Key == events.HeaderType {
				return !passed[string(rec.Headers[i].Value)]
			}
		}
		return true
	}
}

// The types of events of which aliasesOf makes aliases, and those that may ask for documents, as packingAsked reads them.
var (
	aliasTypes   = []string{events.TypeReturnCreated, events.TypeServiceActivated, events.TypeTechVisitRequested, events.TypeShipmentCreated} //nolint:gochecknoglobals // A table.
	packingTypes = []string{events.TypeLabelsRequested, events.TypeFormAcknowledged, events.TypeItemsCancelled}                               //nolint:gochecknoglobals // A table.
)
