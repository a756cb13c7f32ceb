package emitter

import (
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/orderledger/orderledger/events"
)

// The headers of a record of suborders.v1 in addition to those of CloudEvents.
const (
	headerStages    = "ol_stages"
	headerReached   = "ol_reached"
	headerOtherwise = "ol_otherwise"
	headerHold      = "ol_hold"
	headerProfile   = "ol_profile"
	headerLocation  = "ol_location"
	headerChannel   = "ol_channel"
	headerSeller    = "ol_seller"
	// headerHistory is "true" in the messages of a shipment that was imported as history.
	headerHistory = "ol_history"
	// headerCreated is when the ledger recorded the suborder's creation. It is the same in every message of a suborder, so
	// an endpoint with a start takes all of them or none, without remembering suborders.
	headerCreated = "ol_created"
)

const jsonContentType = "application/json"

// setHeaders describes the message in headers, so that consumers need not parse the body. The id is missing here: it is
// the UUID of the message, which the publisher writes as ce_id.
func (m *Message) setHeaders(to message.Metadata, of *Recorded) {
	set := func(key, value string) {
		if value != "" {
			to[key] = value
		}
	}
	set(events.HeaderType, m.Type)
	set(events.HeaderSource, of.Envelope.Source)
	set(events.HeaderSpecVersion, events.SpecVersion)
	set(events.HeaderSubject, m.ShipmentID)
	if !m.At.IsZero() {
		set(events.HeaderTime, m.At.UTC().Format(events.TimeFormat))
	}
	set(events.HeaderContentType, jsonContentType)
	set(events.HeaderCausationID, of.Envelope.ID)
	set(events.HeaderCorrelationID, of.Envelope.CorrelationID)
	set(events.HeaderTraceParent, of.Envelope.TraceParent)
	set(headerProfile, m.Profile)
	set(headerStages, stageNames(m.Stages))
	set(headerReached, stageNames(m.Reached))
	set(headerOtherwise, m.Otherwise)
	set(headerHold, m.Hold)
	set(headerLocation, m.LocationCode)
	set(headerChannel, m.ChannelName)
	if created := of.Event.GetAfter().GetFirstRecordedAt(); created != nil {
		set(headerCreated, created.AsTime().Format(events.TimeFormat))
	}
	if of.Envelope.History || of.Event.GetAfter().GetHistory() {
		set(headerHistory, events.True)
	}
	set(headerSeller, of.Event.GetAfter().GetSellerId())
}
