package events_test

import (
	"errors"
	"fmt"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
)

// A consumer decodes a record, skips what it does not know, and needs nothing else: the state after
// the event is in it.
func ExampleDecode() {
	record := eventstest.NewLane(0).Event(eventstest.Story(1, eventstest.Start)[5])

	env, event, err := events.Decode(record.Record())
	if errors.Is(err, events.ErrUnknownType) {
		return // An event type of a later version.
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(events.ShortType(env.Type), "version", env.Version)
	fmt.Println(event.GetTransition().GetFrom(), "to", event.GetTransition().GetTo())
	fmt.Println(event.GetAfter().GetOrderId(), "has", len(event.GetAfter().GetItems()), "item")
	// Output:
	// ShipmentShipped version 6
	// STATUS_PICKUP_COMPLETE to STATUS_SHIPPED
	// OD000000000000000001 has 1 item
}

// A record shown as JSON, as the tables hold it.
func ExampleAppendJSON() {
	e := eventstest.Story(1, eventstest.Start)[3]
	e.After = nil
	body, err := e.MarshalVT()
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := events.AppendJSON(nil, events.TypeReadyToDispatch, body)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(text))
	// Output:
	// {"transition":{"from":"STATUS_PACKED","to":"STATUS_READY_TO_DISPATCH","items":[{"orderItemId":"OD000000000000000001-0","from":"STATUS_PACKED","to":"STATUS_READY_TO_DISPATCH","liveBefore":2,"liveAfter":2}]},"readyToDispatch":{"at":{"at":"2026-03-05T02:06:07Z"}}}
}

// Anybody can verify a lane from its beginning. The hash of the layout comes from the record of TopicLayout.
func ExampleVerifier() {
	lane := eventstest.NewLane(0)
	v := events.Verifier{
		Topic: events.TopicEvents, Lane: 0, Lanes: 1,
		Chain: events.ChainStart(events.Hash{}, events.TopicEvents, 0),
	}
	for _, e := range eventstest.Story(1, eventstest.Start) {
		r := lane.Event(e).Record()
		if env, err := v.Next(r); err != nil {
			fmt.Println(env.ID, err)
			return
		}
	}
	fmt.Println(v.Chain.Seq, "records verified")
	// Output:
	// 8 records verified
}

// The lane of a shipment is where Kafka's default partitioner would put its key.
func ExampleLane() {
	fmt.Println(events.Lane("21f3c6a0-5a1e-4c0d-9b7f-000000000001", 12))
	// Output:
	// 8
}
