package emitter

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func BenchmarkTranslate(b *testing.B) {
	r := recorded(created(sampleShipment(b)))
	plain := recorded(created(twoItems(nil)))
	profile, channel := Profile752255250(), Channel{Name: "flipkart", Currency: "INR"}
	for name, r := range map[string]Recorded{"with extensions": r, "plain": plain} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Translate(r, profile, &channel)
			}
		})
	}
}

// BenchmarkTranslator measures the whole stage with a broker in this process: events per second, from a full log until
// its end is committed.
func BenchmarkTranslator(b *testing.B) {
	for _, lanes := range []int{1, 12} {
		b.Run(fmt.Sprintf("%d lanes", lanes), func(b *testing.B) {
			l := newLedger(b, lanes)
			for n := 0; n < b.N; {
				var batch []*kgo.Record
				for ; n < b.N && len(batch) < 500; n++ {
					batch = append(batch, l.created(b, fmt.Sprintf("shipment-%d", n)))
				}
				l.commit(b, batch...)
			}
			b.ResetTimer()
			l.translate(b, nil)
			l.waitDone(b)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
