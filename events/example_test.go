package events_test

import (
	"errors"
	"fmt"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
)

// A consumer reads headers and value of a record, skips what it does not know, and needs nothing else: the state after
// the event is in it.
func ExampleDecode() {
	record := eventstest.NewLane(0).Event(eventstest.Story(1, eventstest.Start)[5])

	env, event, err := events.Decode(record.Headers, record.Value)
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

// Anybody can verify a lane: link each record to the one before and compare with the hash it carries.
func ExampleChain_Next() {
	lane := eventstest.NewLane(2)
	var chain events.Chain
	for _, e := range eventstest.Story(1, eventstest.Start) {
		r := lane.Event(e)
		env, err := events.DecodeEnvelope(r.Headers)
		if err != nil {
			fmt.Println(err)
			return
		}
		if chain = chain.Next(r.Topic, r.Lane, r.Headers, r.Value); chain.Head != env.ChainHash {
			fmt.Println("altered or left out before", env.ID)
			return
		}
	}
	fmt.Println(chain.Seq, "records verified")
	// Output:
	// 8 records verified
}

// The lane of a shipment is where Kafka's default partitioner would put its key.
func ExampleLane() {
	fmt.Println(events.Lane("21f3c6a0-5a1e-4c0d-9b7f-000000000001", 12))
	// Output:
	// 8
}
