package shipment

import (
	"testing"
	"time"
)

// BenchmarkDecideEvolve is one fact about a shipment of one item, decided and then folded as a reader folds it.
func BenchmarkDecideEvolve(b *testing.B) {
	c := Context{Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s := Decide(nil, Created{
		Fact:       Fact{ShipmentID: "s-1", SellerID: "seller", LocationID: "LOC1", At: c.Now, Source: "flipkart"},
		OrderID:    "OD1",
		DispatchBy: c.Now.Add(48 * time.Hour), DeliverBy: c.Now.Add(96 * time.Hour),
		Items: []CreatedItem{{OrderItemID: "i-1", Quantity: 1}},
	}, c).State
	var in Input = StatusReached{Fact: Fact{ShipmentID: "s-1", At: c.Now}, Status: packed}
	b.ReportAllocs()
	for b.Loop() {
		d := Decide(s, in, c)
		if Evolve(s, d.Events[0]) == nil {
			b.Fatal("no state")
		}
	}
}
